/* SPDX-License-Identifier: MIT */
/* Takes what comes from two channels, whichever is ready, until one is closed. */
#include <errno.h>
#include <reeve/channel.h>
#include <stdio.h>

int main(void)
{
    struct rv_context *ctx = rv_context_background();
    struct rv_channel *numbers, *letters;
    int number, i;
    char letter;

    if (rv_channel_create(sizeof(number), 2, &numbers) < 0 ||
        rv_channel_create(sizeof(letter), 2, &letters) < 0)
        return 1;
    if (rv_channel_send(ctx, numbers, &(int){1}) < 0 ||
        rv_channel_send(ctx, letters, &(char){'a'}) < 0)
        return 1;
    rv_channel_close(numbers);
    do {
        struct rv_clause clauses[] = {RV_RECV(numbers, &number), RV_RECV(letters, &letter)};

        i = rv_select(ctx, clauses, 2, RV_SECOND);
        if (i == 0 && clauses[0].result == -EPIPE)
            break;
        if (i == 0)
            printf("number %d\n", number);
        if (i == 1)
            printf("letter %c\n", letter);
    } while (i >= 0);
    rv_channel_unref(numbers);
    rv_channel_unref(letters);
    return i < 0;
}
