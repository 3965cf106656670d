/* SPDX-License-Identifier: MIT */
#include <reeve/version.h>

int rv_version(void)
{
    return RV_VERSION;
}
