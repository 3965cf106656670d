/* SPDX-License-Identifier: MIT */
/*
 * For hosts alone, programs that load modules, such as reeve-host, or any other that has the
 * process for itself.
 *
 * It decides for the whole process where things go, so a module calls none of it: another module in
 * the process has the same sinks. That is why <reeve/module.h> does not include this header.
 */
#ifndef REEVE_HOST_H
#define REEVE_HOST_H

#include <stddef.h>
#include <stdint.h>

#include <reeve/context.h>
#include <reeve/error.h>
#include <reeve/log.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A record of the log, as a sink gets it. */
struct rv_log_record {
    enum rv_log_level level;
    int64_t realtime; /* nanoseconds since 1970 */
    struct rv_labels labels;
    const char *text;
    const struct rv_field *fields;
    size_t field_count;
};

/* Levels above are dropped; RV_LOG_INFO at first. */
void rv_host_set_log_level(enum rv_log_level level);

/* Where records go; NULL for stderr again. The sink is called from any thread, several at once.
 * Must be set before other threads log. */
typedef void (*rv_host_log_sink)(const struct rv_log_record *record, void *arg);
void rv_host_set_log_sink(rv_host_log_sink sink, void *arg);

/* Where rv_progress() goes. Called on the thread that says it. Must
 * be set before modules run. */
void rv_host_set_progress(void (*sink)(const char *text));

/* Called on each new thread of the runtime before it runs functions of others, to prepare it for
 * them: its signals, say. Must be set before the first. */
void rv_host_set_thread_start(void (*fn)(void));

/* Where rv_submit() goes; as above. */
void rv_host_set_submit(int (*sink)(struct rv_context *ctx, const char *pool, const void *data,
                                    size_t size));

/* Where rv_fail_option() goes; as above. */
void rv_host_set_fail_option(void (*sink)(struct rv_context *ctx, const char *option,
                                          const char *text));

/*
 * Something that is called when a context is done, without a thread or memory of its own. fn is
 * called on the thread that cancels, under a lock of the context: it must return soon, and not use
 * a context. The caller fills in fn, and keeps the hook until it has removed it.
 */
struct rv_host_hook {
    void (*fn)(struct rv_host_hook *hook) RV_ZERO_;
    void *own[7] RV_ZERO_; /* the runtime's */
};

/* Returns 0, or the context's code when it is done: then fn is not called. Does not block; any
 * thread. */
int rv_host_hook_add(struct rv_context *ctx, struct rv_host_hook *hook) RV_MUST_CHECK_;

/* After it fn neither is nor will be called; whether it was is for the caller to know. Only after
 * an add. */
void rv_host_hook_remove(struct rv_context *ctx, struct rv_host_hook *hook);

/* Ends all threads that are idle now and waits for them, for tests that count threads. New ones are
 * made when needed. */
void rv_host_trim(void);

#ifdef __cplusplus
}
#endif

#endif
