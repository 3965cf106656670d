/* SPDX-License-Identifier: MIT */
/*
 * The module ABI: one table, one exported symbol. A module is one C file of ordinary blocking code:
 *
 *     #include <reeve/module.h>
 *
 *     struct probe { char *url; rv_duration timeout; };
 *
 *     static int check(struct rv_context *ctx, void *state) { ... }
 *
 *     RV_MODULE(.name = "probe",
 *               .summary = "Fetches a URL and reports whether it answered",
 *               .state_size = sizeof(struct probe),
 *               .options = RV_OPTIONS(
 *                   RV_OPTION_STRING(struct probe, url, .required = true),
 *                   RV_OPTION_DURATION(struct probe, timeout, .fallback = "5s")),
 *               .tasks = RV_TASKS({.name = "check", .run = check, .every = "30s"}));
 *
 * built with `cc -shared -fPIC -o probe.so probe.c -lreeve`. Functions return 0 or a negative
 * errno, with a text from rv_fail() or rv_wrap(); a number above 0 counts as 0. They run on threads
 * of the runtime, with no signal blocked; runs of different tasks and jobs of pools run at the same
 * time, a task never twice. They may block as long as their context is not done.
 */
#ifndef REEVE_MODULE_H
#define REEVE_MODULE_H

#include <reeve/channel.h>
#include <reeve/command.h>
#include <reeve/context.h>
#include <reeve/duration.h>
#include <reeve/error.h>
#include <reeve/fan.h>
#include <reeve/file.h>
#include <reeve/group.h>
#include <reeve/job.h>
#include <reeve/log.h>
#include <reeve/once.h>
#include <reeve/option.h>
#include <reeve/pool.h>
#include <reeve/runtime.h>
#include <reeve/semaphore.h>
#include <reeve/sleep.h>
#include <reeve/ticker.h>
#include <reeve/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised by every change that an old module or an old host could misread; a host takes modules of
 * its own ABI alone. */
#define RV_MODULE_ABI 2

/* When a run is due during another one of its task: it is left out, or begins after it. */
enum rv_overlap { RV_OVERLAP_SKIP, RV_OVERLAP_QUEUE };

/* After the failure of a run: the task goes on, the module is restarted, or the task is stopped. */
enum rv_on_error { RV_ON_ERROR_CONTINUE, RV_ON_ERROR_RESTART, RV_ON_ERROR_STOP };

/* At a stop of the module: a run is cancelled, or may finish within the module's drain. */
enum rv_on_stop { RV_ON_STOP_CANCEL, RV_ON_STOP_FINISH };

/* One run at the start for those missed while nothing ran: by default for tasks by interval, and
 * not for those by the wall clock. */
enum rv_catch_up { RV_CATCH_UP_DEFAULT, RV_CATCH_UP_YES, RV_CATCH_UP_NO };

/* Something to do on a schedule. The texts are defaults: NAME.every and so on in the section win.
 */
struct rv_task {
    const char *name RV_ZERO_;
    int (*run)(struct rv_context *ctx, void *state) RV_ZERO_;
    const char *every RV_ZERO_;   /* NULL: only on request */
    const char *timeout RV_ZERO_; /* of a run; NULL: none */
    const char *help RV_ZERO_;
    const char *grace RV_ZERO_; /* to honour a cancel; NULL: 5s. Past it the host is killed. */
    enum rv_overlap overlap RV_ZERO_;   /* what to do when a run is due during one */
    enum rv_on_error on_error RV_ZERO_; /* what follows the failure of a run */
    enum rv_on_stop on_stop RV_ZERO_;   /* what a stop does to a run */
    /* In place of every: when it runs by the wall clock, in the syntax of systemd.time(7), such as
     * "Mon..Fri 03:00"; NULL: by every. */
    const char *at RV_ZERO_;
    const char *jitter RV_ZERO_; /* each start is put off by a random part of it; NULL: none */
    /* Whether a run at the start stands for those that were missed. */
    enum rv_catch_up catch_up RV_ZERO_;
};

/* Workers with a queue, for jobs from outside (reevectl submit). A run that returns -EBADMSG says
 * that the job's data can never be right: the submitter is told, and the pool stays well. */
struct rv_module_pool {
    const char *name RV_ZERO_;
    int (*run)(struct rv_context *ctx, const struct rv_job *job, void *state) RV_ZERO_;
    unsigned workers RV_ZERO_;    /* 0: as many as there are processors */
    unsigned queue RV_ZERO_;      /* 0: 1024 */
    unsigned retries RV_ZERO_;    /* further attempts after a failure other than -EBADMSG */
    const char *timeout RV_ZERO_; /* of an attempt; NULL: none */
    /* Before the first retry; NULL: 100ms. It doubles up to 1min, or stays when longer. */
    const char *backoff RV_ZERO_;
    const char *help RV_ZERO_;
    /* For a job to honour a cancel; NULL: 5s. Past it the host is killed. */
    const char *grace RV_ZERO_;
    /* Told once of each job that was accepted, when there is no further attempt, whoever decided
     * that: run, or the time of the job (reevectl submit --timeout), a stop, or want of memory.
     * Things that run keeps from one attempt to the next, and notes of the submitter, are released
     * here. job->attempt is 0 when run was never called. code: 0, or why it has failed or is lost.
     * Called before fini, and before the submitter is answered but for one whose time is over while
     * the job waits; by any thread; must not block. May be NULL. */
    void (*ended)(const struct rv_job *job, int code, void *state) RV_ZERO_;
};

/* A table with the size of its elements as the module knew them: what a newer host has more is
 * zero. */
struct rv_table {
    const void *items;
    size_t count;
    size_t item_size;
};

/* The table of a module. RV_MODULE() fills in size and abi; only name is needed. */
struct rv_module {
    size_t size RV_ZERO_; /* of this struct as the module knew it */
    uint32_t abi RV_ZERO_;
    const char *name RV_ZERO_;
    const char *version RV_ZERO_; /* the module's own; may be NULL */
    const char *summary RV_ZERO_;
    size_t state_size RV_ZERO_; /* zeroed, then options are bound to it */
    struct rv_table options RV_ZERO_;
    struct rv_table tasks RV_ZERO_;
    struct rv_table pools RV_ZERO_;
    /* All five may be NULL. init: before any task; what it leaves behind after an error, it must
     * undo itself. fini: after the last task and job. The context of init and of reload is done
     * when the module is to stop while they run, and lives until fini. */
    int (*init)(struct rv_context *ctx, void *state) RV_ZERO_;
    void (*fini)(void *state) RV_ZERO_;
    /* Options in state are the new ones; no run or job is in flight: those that were have ended by
     * themselves. An error makes the module fail. A module without it is restarted instead. */
    int (*reload)(struct rv_context *ctx, void *state) RV_ZERO_;
    /* Asked every ten seconds: 0 when well. Its context is done when it would be asked again: it
     * then returns the context's code, or what it knows. A call that goes on past the module's
     * grace is a hang: the host is killed. */
    int (*health)(struct rv_context *ctx, void *state) RV_ZERO_;
    /*
     * Looks whether options that are good one by one are good for the module, and says for each
     * that is not: rv_fail_option(). Asked before anything starts, by `reevectl check`, and before
     * a reload touches anything, of a state that holds the options and nothing else; so it looks
     * and changes nothing: it may run in a process that may only read, without network and, loading
     * included, for at most the module's start-timeout. Asked again before each init and reload,
     * which can rely on it. Returns 0, or a negative errno.
     */
    int (*check)(struct rv_context *ctx, const void *state) RV_ZERO_;
    /* Several sections may use the file in one process (`host = NAME`), with a state each: the
     * module changes no variables of the file's, and nothing of the process that another section's
     * would notice. Without it, sections of one file need hosts of their own. */
    bool reentrant RV_ZERO_;
};

/*
 * For check: says what is wrong with the option of that name (`a_b` or `a-b`), with the place of
 * its line, or of the section when it has none there. The text follows the option's name, unless it
 * begins with that, as in "url = ftp://a: expected http://"; it must not quote a secret. Returns
 * -EINVAL, and the text is the thread's error text
 * (<reeve/error.h>), so that `return rv_fail_option(...)` will do; who has called it need not
 * return an error as well. Does not block. Outside check, on another thread than check was called
 * on, and in a process that the module has forked, it does no more than rv_fail_text().
 */
int rv_fail_option(struct rv_context *ctx, const char *option, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Submits a job to a pool of the module's own, from a task, a job or any thread of the module;
 * blocks while the queue is full, so a job that submits to its own pool should not be the only one
 * that empties it. ctx is a context of the module's, or made from one. The data is copied. Returns
 * 0; the context's code; -ENOENT when there is no such pool; -EAGAIN in init, reload and check, as
 * pools take jobs only after these; -EPIPE once pools take no more: while the module stops, and in
 * fini; -EMSGSIZE past RV_JOB_DATA_MAX; -ENOMEM; -ENOSYS outside of a host, and while a module is
 * only described; or -ENOTSUP in a child of fork(). A reload waits until jobs have handed on to
 * each of the pools; a chain of jobs that goes on after that is -EPIPE as well.
 */
int rv_submit(struct rv_context *ctx, const char *pool, const void *data,
              size_t size) RV_MUST_CHECK_;

/* Says what the present run or job is doing, or found: shown in /health and reevectl status until
 * it says something else. As of an error's text (<reeve/error.h>), /health shows the first line
 * alone. Cut at 511 bytes. It is of the run or job that the calling thread was given: does nothing
 * on other threads, in other functions of a module, outside of a host, and in a process that the
 * module has forked. */
void rv_progress(struct rv_context *ctx, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define RV_TABLE_(type, ...)                   \
    {__extension__(const type[]){__VA_ARGS__}, \
     sizeof(__extension__(const type[]){__VA_ARGS__}) / sizeof(type), sizeof(type)}
/* The tables of a module, one initialiser for each element. */
#define RV_OPTIONS(...) RV_TABLE_(struct rv_option, __VA_ARGS__)
#define RV_TASKS(...)   RV_TABLE_(struct rv_task, __VA_ARGS__)
#define RV_POOLS(...)   RV_TABLE_(struct rv_module_pool, __VA_ARGS__)

/* An ELF note that the host reads before it loads the file, since loading runs constructors. */
struct rv_module_note {
    uint32_t owner_size;
    uint32_t description_size;
    uint32_t type;
    char owner[8];
    uint32_t abi;
};
#define RV_MODULE_NOTE_OWNER "reeve"
#define RV_MODULE_NOTE_TYPE  1

/* One symbol, whichever language and namespace it is defined in. */
#ifdef __cplusplus
#define RV_EXTERN_C_ extern "C"
#else
#define RV_EXTERN_C_ extern
#endif

/* Defines the module: takes the initialisers of struct rv_module; in C++ in the order of its
 * members. Once in a file, outside of any function, and once in a module. */
#define RV_MODULE(...)                                                                             \
    __attribute__((section(".note.reeve"), used,                                                   \
                   aligned(4))) static const struct rv_module_note rv_module_note = {              \
        sizeof(RV_MODULE_NOTE_OWNER), sizeof(uint32_t), RV_MODULE_NOTE_TYPE, RV_MODULE_NOTE_OWNER, \
        RV_MODULE_ABI};                                                                            \
    RV_EXTERN_C_ const struct rv_module rv_module __attribute__((visibility("default")));          \
    const struct rv_module rv_module = {                                                           \
        .size = sizeof(struct rv_module), .abi = RV_MODULE_ABI, __VA_ARGS__}

#ifdef __cplusplus
}
#endif

#endif
