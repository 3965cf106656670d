/* SPDX-License-Identifier: MIT */
/*
 * Credentials: a module's option may say `password = credential:NAME`, and its value is then the
 * content of the file NAME in the directory that systemd made for the service (LoadCredential=,
 * systemd.exec(5)).
 *
 * Such an option keeps what is written as its value, which is what everybody is shown; what it
 * stands for is beside it, and is for the host alone. It is read with the configuration, and is a
 * part of it: a host that restarts gets what was checked, and a reload that finds another content
 * gives the module new options. Only options of the type secret take one, which their host sees to.
 */
#ifndef REEVE_SETTINGS_CREDENTIALS_H
#define REEVE_SETTINGS_CREDENTIALS_H

#include "settings/config.h"

/* As much as fits into a message to a host; keys and certificates are shorter. */
#define CREDENTIAL_MAX (64 * 1024)

/* Reads what every option of a module that names a credential stands for. */
void credentials_resolve(struct config *config, const struct config_places *places,
                         struct config_errors *errors);

#endif
