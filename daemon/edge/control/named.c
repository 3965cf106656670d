/* SPDX-License-Identifier: MIT */
#include "daemon/edge/control/named.h"

#include <errno.h>

#include "base/nearest.h"
#include "daemon/control/supervisor.h"
#include "daemon/edge/respond.h"
#include "settings/config.h"

struct unit *named_unit(struct edge *edge, struct http_request *request)
{
    const char *name = http_request_parameter(request, "module");
    const struct config *config = supervisor_config(edge->supervisor);
    struct unit *unit = name ? supervisor_find(edge->supervisor, name) : NULL;
    struct nearest nearest;

    if (unit)
        return unit;
    if (name && supervisor_find_leaving(edge->supervisor, name)) {
        respond_error(request, 409, -EBUSY,
                      "module %s is no longer configured, and ends what is under way", name);
        return NULL;
    }
    if (!name || *name == '\0') {
        respond_error(request, 404, -ENOENT, NAMED_NO_MODULE);
        return NULL;
    }
    config_nearest(config, name, &nearest);
    respond_error(request, 404, -ENOENT, "there is no module \"%s\"%s", name,
                  nearest_words(&nearest));
    return NULL;
}

/* Starting and stopping modules ------------------------------------------- */
