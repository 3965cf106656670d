/* SPDX-License-Identifier: MIT */
/*
 * Errors: a negative errno that says what kind, and a text that says what happened.
 *
 * The text belongs to the calling thread's current function. It is cleared before the runtime calls
 * one of yours, and copied into the run's, job's or group's result when yours returns. At most
 * RV_ERROR_TEXT_SIZE bytes are kept, the terminator included; when that cuts a URL before its path, its
 * host is hidden, since it could be a token.
 *
 * Everybody can read the first line: /health and the page show it. Only the log and reevectl show the lines
 * after it, so put the output of a command or the answer of a server there. reeve hides the password and the
 * query of each URL in all lines.
 */
#ifndef REEVE_ERROR_H
#define REEVE_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#define RV_ERROR_TEXT_SIZE 512

/*
 * Starts a text: `return rv_fail(-ENOENT, "no section %s", name);`. The text of err itself is
 * added: "no section a: No such file or directory". Returns err, which should be negative. Never
 * blocks; any thread.
 */
int rv_fail(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As rv_fail(), but the text is complete as it is: nothing of err is added. */
int rv_fail_text(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Puts a prefix before the present text, or before the text of err when there is none:
 * `return rv_wrap(r, "poll %s", name);` makes "poll a: no section b: ...". Returns err.
 */
int rv_wrap(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The present text of the calling thread, "" if none; valid until the thread's next rv_fail(),
 * rv_wrap() or rv_error_clear(). */
const char *rv_error_text(void);

/*
 * Hides the password and the query of each URL in a text, in place, as reeve does in all that it shows: for who hands on
 * only a part of a text, which may begin in the middle of a URL. It never gets longer. Never blocks; any thread.
 */
void rv_redact_urls(char *text);

/* Forgets the calling thread's text. Never blocks. */
void rv_error_clear(void);

#ifdef __cplusplus
}
#endif

#endif
