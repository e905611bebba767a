/* The inside of a halo_host, for halo.c, runtime.c, sched.c and the bindings. */
#ifndef HL_HOST_H
#define HL_HOST_H

#include <halo.h>
#include <lua.h>

#include "buf.h"
#include "loop.h"
#include "root.h"
#include "sched.h"

struct hl_client;

struct halo_host {
    halo_config cfg; /* its strings are owned by the host */
    struct hl_loop *loop;
    struct hl_client *client; /* the default one, made on first use or by aura.auth */
    lua_State *L;             /* the main thread of the state; runs no script itself */
    struct hl_sched *sched;   /* NULL: a foreign interpreter's (module.c); waits block */
    struct hl_runtime *runtime;
    struct hl_budget budget; /* memory_bytes: Lua's, answers, files read */
    int files;               /* descriptors that scripts hold, for max_files */
    struct hl_root root;     /* work_dir, when restricted; opened on first use */
    bool in_callback;        /* guards against re-entry */
    _Atomic int interrupts;  /* asked for by halo_interrupt; handled at the next turn */
    int interrupts_seen;
};

/* The host of any thread of its state; NULL when there is none. Needs a free stack slot.
 * [-0, +0, -] */
struct halo_host *hl_find_host(lua_State *L);

/* The same, but raises: in a finalizer that runs when the host has ended.  [-0, +0, v] */
struct halo_host *hl_host(lua_State *L);

/* Makes the userdata on top of the stack (light or full; or nil: none) the state's host.
 * The registry keeps it: the extra space of a foreign state is its embedder's.
 * [-1, +0, m] */
void hl_set_host(lua_State *L);

/* Gives one line to the log callback. level: enum halo_level. */
void hl_log(struct halo_host *h, int level, const char *text, size_t len);
void hl_event(struct halo_host *h, const char *json, size_t len);

/* Asks the confirm callback: enum halo_answer. */
int hl_confirm(struct halo_run *run, const char *question);

#endif
