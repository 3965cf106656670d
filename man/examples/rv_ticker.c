/* SPDX-License-Identifier: MIT */
/* Three ticks of ten milliseconds. */
#include <reeve/ticker.h>
#include <stdio.h>

int main(void)
{
    struct rv_ticker *ticker;
    rv_time due;

    if (rv_ticker_create(10 * RV_MILLISECOND, &ticker) < 0)
        return 1;
    for (int i = 0; i < 3; i++)
        if (rv_ticker_wait(rv_context_background(), ticker, &due) == 0)
            printf("tick that was due at %lld ns\n", (long long)due);
    rv_ticker_destroy(ticker);
    return 0;
}
