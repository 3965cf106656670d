/* SPDX-License-Identifier: MIT */
/* Between reading settings (setting.c) and telling of them (setting_text.c). */
#ifndef REEVE_BASE_SETTING_INTERNAL_H
#define REEVE_BASE_SETTING_INTERNAL_H

#include "base/setting.h"

#define SETTING_NAME_MAX 40

/* How a value is written, for whom its bounds would not help: "a size such as 512, 64K or 1.5G". */
char *setting_write_form(const struct setting *setting, char *buffer, size_t size);

#endif
