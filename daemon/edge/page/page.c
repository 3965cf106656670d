/* SPDX-License-Identifier: MIT */
/* The page at "/": one file, with the policy that allows its own script and style alone. */
#include "daemon/edge/page/page.h"

#include "daemon/edge/page/page_html.h"

void page_serve(struct http_request *request)
{
    const struct http_header headers[] = {{"Content-Security-Policy", page_policy},
                                          {"X-Content-Type-Options", "nosniff"},
                                          {"Referrer-Policy", "no-referrer"},
                                          {"Cross-Origin-Resource-Policy", "same-origin"},
                                          {"Cross-Origin-Opener-Policy", "same-origin"},
                                          {"Cache-Control", "no-cache"},
                                          {NULL, NULL}};
    struct http_response response = {.status = 200,
                                     .content_type = "text/html; charset=utf-8",
                                     .body = (const char *)page_html,
                                     .size = page_size,
                                     .headers = headers};

    http_respond(request, &response);
}
