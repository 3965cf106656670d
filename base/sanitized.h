/* SPDX-License-Identifier: MIT */
/* Whether a sanitizer is built in. */
#ifndef REEVE_BASE_SANITIZED_H
#define REEVE_BASE_SANITIZED_H

/* Sanitizers map terabytes that they never touch, which a limit would count, and have more resident
 * than what they look at. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#endif
