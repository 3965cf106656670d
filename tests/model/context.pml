/* SPDX-License-Identifier: MIT */
/*
 * A context's end: lib/context.c and the hooks of lib/context_use.c.
 *
 * Checked under sequential consistency; that has_hooks and err really are sequentially consistent
 * where it matters is for the code and ThreadSanitizer under tests/lib/.
 *
 * Here                     there
 * node 0, node 1           a parent, which is the top of its tree, and its child
 * err[], has_hooks[]       ctx->err, ctx->has_hooks
 * references[]             ctx->references
 * tree_lock, hook_lock[]   top->tree_lock, ctx->hook_lock
 * wake[], mark()           the list of marked contexts with hooks; mark(), mark_tree()
 * run_hooks(), cancel()    the same
 * try_ref(), unref()       context_try_ref(), rv_context_unref() with destroy()
 * waiter                   context_hook_add(), wait_for(), context_hook_remove() on the child
 * timer, timer_running     deadline_passed() of the child, `running` of lib/timer.c
 * stack_gone               the waiter has returned: its hook is no more
 *
 * Checked: a waiter on a context that ends is woken (no invalid end state); the child is done no
 * later than its parent, and nobody is woken before; no node is touched after it was freed, nor a
 * hook after its waiter has returned; both nodes are freed in the end.
 */
mtype = { PENDING, CANCEL };

bool err[2], has_hooks[2], freed[2], linked_in_tree = true;
byte references[2];
bool tree_lock, hook_lock[2];
bool hook_on_list, hook_linked, stack_gone;
mtype result = PENDING;
bool timer_armed = true, timer_running;
byte ended; /* of the processes below */
bool ready;

inline touch(node) { assert(!freed[node]) }
inline lock_tree() { atomic { !tree_lock -> tree_lock = true } }
inline unlock_tree() { tree_lock = false }
inline lock_hooks(node) { atomic { !hook_lock[node] -> hook_lock[node] = true }; touch(node) }
inline unlock_hooks(node) { touch(node); hook_lock[node] = false }

inline try_ref(node)
{
#ifndef BUG_REF_BLINDLY
    atomic {
        touch(node);
        got = references[node] > 0;
        if :: got -> references[node]++ :: else fi
    }
#else
    atomic { touch(node); got = true; references[node]++ }
#endif
}

/* Only the child has hooks in this model. */
inline run_hooks(node)
{
    lock_hooks(node);
    if
    :: node == 1 && hook_on_list ->
        assert(!stack_gone);
        hook_on_list = false;
        /* Whoever is woken finds all of them done that he may look at. */
        assert(err[node]);
        assert(!(err[0] && !err[1]));
        assert(!stack_gone);
        result = CANCEL;
        assert(!stack_gone);
        hook_linked = false /* the waiter may return from here on */
    :: else
    fi;
    unlock_hooks(node)
}

inline mark(node)
{
    touch(node);
    if :: node == 1 -> linked_in_tree = false :: else fi;
#ifndef BUG_HOOKS_BEFORE_ERR
    err[node] = true;
    seen = has_hooks[node];
#else
    seen = has_hooks[node];
    err[node] = true;
#endif
    if
    :: seen -> try_ref(node); wake[node] = got
    :: else
    fi
}

/* The last reference of the child; its parent's follows. */
inline unref_child()
{
    atomic { touch(1); assert(references[1] > 0); references[1]--; last = references[1] == 0 };
    if
    :: last ->
        lock_tree();
        linked_in_tree = false;
        unlock_tree();
        timer_armed = false;
#ifndef BUG_FREE_UNDER_TIMER
        /* Unless it is the timer's own thread that frees. */
        if
        :: mine
        :: !mine && !timer_running
        fi;
#endif
        if
        :: has_hooks[1] -> run_hooks(1)
        :: else
        fi;
        freed[1] = true;
        unref_parent()
    :: else
    fi
}

inline unref_parent()
{
    atomic { touch(0); assert(references[0] > 0); references[0]--; last = references[0] == 0 };
    if :: last -> freed[0] = true :: else fi
}

inline cancel(node)
{
    wake[0] = false;
    wake[1] = false;
    lock_tree();
    touch(node);
    if
    :: !err[node] ->
#ifndef BUG_PARENT_FIRST
        if :: node == 0 && linked_in_tree -> mark(1) :: else fi;
        mark(node)
#else
        marks_child = node == 0 && linked_in_tree;
        mark(node);
        if :: marks_child -> mark(1) :: else fi
#endif
    :: else
    fi;
    unlock_tree();
    if :: wake[0] -> run_hooks(0); unref_parent() :: else fi;
    if :: wake[1] -> run_hooks(1); unref_child() :: else fi
}

/* Cancels the parent and gives it back. */
active proctype canceller()
{
    bool seen, got, last, wake[2], marks_child, mine;

    ready;
    cancel(0);
    unref_parent();
    ended++
}

/* Had the child made, and gives it back at some moment, perhaps while the rest goes on. */
active proctype owner()
{
    bool last, mine;

    ready;
    unref_child();
    ended++
}

/* Waits for the child's end with a reference of its own. */
active proctype waiter()
{
    bool seen, last, mine;

    ready;
    lock_hooks(1);
#ifndef BUG_ERR_BEFORE_HOOKS
    has_hooks[1] = true;
    seen = err[1];
#else
    seen = err[1];
    has_hooks[1] = true;
#endif
    if
    :: !seen -> hook_linked = true; hook_on_list = true
    :: else
    fi;
    unlock_hooks(1);
    if
    :: !seen ->
        result == CANCEL;
#ifndef BUG_RETURN_ON_RESULT
        if
        :: hook_linked ->
            lock_hooks(1);
            if :: hook_linked -> hook_linked = false; hook_on_list = false :: else fi;
            unlock_hooks(1)
        :: else
        fi;
#endif
    :: else
    fi;
    stack_gone = true;
    assert(err[1]);
    unref_child();
    ended++
}

/* The child's deadline comes, at any moment or never. */
active proctype timer()
{
    bool seen, got, last, wake[2], marks_child, mine = true;

    ready;
    if
    :: atomic { timer_armed -> timer_armed = false; timer_running = true };
        try_ref(1);
        if
        :: got -> cancel(1); unref_child()
        :: else
        fi;
        timer_running = false
    :: skip
    fi;
    ended++
}

/* Somebody who looks at both at some moment, and has a reference. */
active proctype observer()
{
    ready;
    assert(!(err[0] && !err[1] && references[1] > 0));
    ended++
}

/* All have ended: so have the nodes. The parent belongs to the canceller and the child; the child
 * to its owner and the waiter. */
init
{
    atomic { references[1] = 2; references[0] = 2; ready = true };
    ended == 5;
    assert(freed[0] && freed[1] && references[0] == 0 && references[1] == 0)
}
