/* SPDX-License-Identifier: MIT */
/*
 * Errors: a negative errno that says what kind, and a text that says what happened.
 *
 * The text belongs to the calling thread's current function, and to the error that it was made
 * with: that number alone finds it. It is cleared before the runtime calls one of yours, and copied
 * into the run's, job's or group's result when yours returns this error. A function of this library
 * that returns an error leaves the text of that error or none of its number, never an older one. So
 * should yours: begin an error with rv_fail(), and add to what other functions return with
 * rv_wrap(). At most RV_ERROR_TEXT_SIZE bytes are kept, the terminator included; when that cuts a
 * URL before its path, its host is hidden, since it could be a token.
 *
 * Everybody can read the first line: /health and the page show it. Only the log and reevectl show
 * the lines after it, so put the output of a command or the answer of a server there. reeve hides
 * the password and the query of each URL in all lines.
 */
#ifndef REEVE_ERROR_H
#define REEVE_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#define RV_ERROR_TEXT_SIZE 512

/* Of functions whose result is not to be ignored: what they did not do, they have not said
 * otherwise. */
#define RV_MUST_CHECK_ __attribute__((warn_unused_result))

/*
 * Starts a text: `return rv_fail(-ENOENT, "no section %s", name);`. The text of err itself is
 * added: "no section a: No such file or directory". Returns err, which should be negative. Never
 * blocks; any thread.
 */
int rv_fail(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As rv_fail(), but the text is complete as it is: nothing of err is added. */
int rv_fail_text(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Puts a prefix before the text of err, the error that a function has just returned:
 * `return rv_wrap(r, "poll %s", name);` makes "poll a: no section b: ...". When the present text is
 * none, or of another error that was handled before, the prefix stands before what err says by
 * itself, as with rv_fail(). Returns err.
 */
int rv_wrap(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The text of err, if the calling thread's present one is that; else "". Valid until the thread's
 * next rv_fail(), rv_wrap() or rv_error_clear(), and the next error of this library. Never blocks.
 */
const char *rv_error_text(int err);

/*
 * Hides the password and the query of each URL in a text, in place, as reeve does in all that it
 * shows: for who hands on only a part of a text, which may begin in the middle of a URL. It never
 * gets longer. Never blocks; any thread.
 */
void rv_redact_urls(char *text);

/* Forgets the calling thread's text: of an error that is handled, where the same number may come
 * again without one. Never blocks. */
void rv_error_clear(void);

#ifdef __cplusplus
}
#endif

#endif
