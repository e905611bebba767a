/* halo.h - run Lua scripts that drive the Neo4j Aura API, from C (C99) or C++ (C++11).
 *
 * A host (halo_host) owns one Lua state and one event loop. A run (halo_run) is one
 * script being executed by a host; a host can execute many at once.
 *
 * Threads: a host and its runs are used by one thread at a time. Two calls may come from
 * any thread while the host is open: halo_wakeup and halo_interrupt; the latter also from
 * a signal handler. Several hosts may live in one process, in one thread or in many.
 *
 * Callbacks (log, event, confirm) and native modules are called by the thread that
 * is inside halo_step, halo_wait, halo_cancel, halo_release or halo_close. From there
 * halo_module, halo_start, halo_start_string, halo_step, halo_wait and halo_cancel of the
 * same host answer HALO_BUSY, and halo_release and halo_close do nothing; every other
 * call is allowed. A callback returns: no longjmp and no C++ exception leaves it.
 *
 * The library keeps no global state of its own, installs no signal handlers, writes
 * nothing to stdout or stderr and never ends the process. It does call curl_global_init
 * once. The embedding program should ignore SIGPIPE.
 *
 * Functions that return int answer HALO_OK (0) or a positive count on success and a
 * negative HALO_* error otherwise. Pointers that are not said to may be NULL must not be.
 * Strings are UTF-8. Times are milliseconds unless a name says otherwise.
 */
#ifndef HALO_H
#define HALO_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(HALO_STATIC) || !defined(__GNUC__)
#define HALO_EXPORT
#else
#define HALO_EXPORT __attribute__((visibility("default")))
#endif

#define HALO_VERSION_HEX 0x00000100 /* 0x00MMmmpp: 0.1.0 */
#define HALO_VERSION "0.1.0"

/* Every error halo knows: name, number, kind (what err.kind says in Lua), exit code of
 * the program, and what it means. */
#define HALO_ERRORS(X)                                                                   \
    X(OK, 0, "ok", 0, "done")                                                            \
    X(NOMEM, -1, "nomem", 1, "out of memory")                                            \
    X(SCRIPT, -2, "script", 1, "the script raised an error")                             \
    X(IO, -3, "io", 1, "a file could not be read or written")                            \
    X(COMPUTE, -4, "compute", 1, "the script computed for too long without waiting")     \
    X(BUSY, -5, "busy", 1, "called from inside a callback of the same host")             \
    X(USAGE, -6, "usage", 2, "wrong usage")                                              \
    X(INVALID, -7, "invalid", 3, "the API refused the request as invalid")               \
    X(AUTH, -8, "auth", 3, "the credentials or the token were refused")                  \
    X(FORBIDDEN, -9, "forbidden", 3, "the credentials lack a permission")                \
    X(NOT_FOUND, -10, "not_found", 3, "not found")                                       \
    X(CONFLICT, -11, "conflict", 3,                                                      \
      "the resource is in a state that does not allow this")                             \
    X(RATE_LIMITED, -12, "rate_limited", 3, "the API's rate limit was reached")          \
    X(API, -13, "api", 3, "the API failed or answered something unexpected")             \
    X(TRANSPORT, -14, "transport", 3, "the API could not be reached")                    \
    X(AMBIGUOUS, -15, "ambiguous", 3, "the request was sent but its outcome is unknown") \
    X(FAILED, -16, "failed", 3, "the awaited status can no longer be reached")           \
    X(TIMEOUT, -17, "timeout", 4, "a wait ran out of time")                              \
    X(MISMATCH, -18, "mismatch", 5, "verification found a mismatch")                     \
    X(DENIED, -19, "denied", 6, "declined, or above the allowed effect")                 \
    X(CANCELLED, -20, "cancelled", 130, "cancelled")

enum halo_error {
#define HALO_X(name, number, kind, exit_code, text) HALO_##name = (number),
    HALO_ERRORS(HALO_X)
#undef HALO_X
};

/* Effects: what a call does to the service. A run may be limited to one of them. The zero
 * in a config means the default (HALO_DESTROY). */
enum halo_effect { HALO_READ = 1, HALO_CHANGE = 2, HALO_DESTROY = 3 };

/* Answers of the confirm callback. */
enum halo_answer { HALO_NO = 0, HALO_YES = 1, HALO_LATER = 2 };

/* Levels of the log callback. PRINT and RESULT are what a script prints and the human
 * form of its result (the program sends them to stdout); the others are progress and
 * diagnosis. */
enum halo_level {
    HALO_LOG_PRINT = 0,
    HALO_LOG_RESULT = 1,
    HALO_LOG_ERROR = 2,
    HALO_LOG_WARN = 3,
    HALO_LOG_INFO = 4,
    HALO_LOG_DEBUG = 5
};

typedef struct halo_host halo_host; /* one Lua state, one loop; one thread at a time */
typedef struct halo_run halo_run;   /* one running script; its host's until released */
struct lua_State;

/* How a host is set up. Start from HALO_CONFIG_INIT; zero means the default for every
 * field but size. All strings are copied by halo_open. Later versions add fields at the
 * end: size says which the caller knows, so programs built with another halo.h go on. */
typedef struct halo_config {
    size_t size;               /* set by HALO_CONFIG_INIT */
    const char *base_url;      /* default: AURA_BASE_URL, then https://api.neo4j.io */
    const char *client_id;     /* default: AURA_CLIENT_ID */
    const char *client_secret; /* default: AURA_CLIENT_SECRET; never enters a script's Lua
                                  state */
    const char *profile;       /* whose credentials to use instead, from the file of that
                                  name in $XDG_CONFIG_HOME/halo/profiles (default
                                  ~/.config); default: HALO_PROFILE */
    const char *stdlib_dir;    /* read stdlib/ from here instead of the embedded copy */
    const char *scripts_dir;   /* read scripts/ from here instead of the embedded copy */
    const char *work_dir;      /* what WORK_DIR says to scripts */
    size_t memory_bytes;       /* limit for what the host's scripts cause to be allocated,
                                  answers included; 0: none, or 64 MB when restricted */
    int compute_ms; /* longest a script may compute between two waits; 0: no limit, or 2000
                       when restricted */
    int requests_per_minute; /* 0: AURA_RATE, then 125; negative: no limit */
    int effect;     /* highest effect any script may have: HALO_READ .. HALO_DESTROY */
    int restricted; /* 1: for scripts that are not trusted: each run has globals and modules
                       of its own; no io, debug, package, process, httpd, environment, bytecode
                       or finalizers; files only below work_dir (without one: none) */
    void *ud;       /* given to every callback */
    /* As lua_Alloc. Used for everything the host's scripts cause Lua to allocate. Must
     * not call halo. */
    void *(*alloc)(void *ud, void *ptr, size_t osize, size_t nsize);
    /* level: enum halo_level. text has no newline at its end (what a script prints may
     * hold some inside) but a NUL that len does not count, and is only valid during the
     * call. */
    void (*log)(void *ud, int level, const char *text, size_t len);
    /* What happens, each time as one JSON object whose first member is "event". Valid
     * only during the call; never holds a secret. More members may follow in later
     * versions.
     *
     *   "step"    of a bundled workflow: step (a string, as "5" or "5a"), name, state:
     *             "started", "done" with seconds, or "recorded" (an earlier process did
     *             it). A step that fails ends the run.
     *   "status"  a change of status of an instance that is waited for: instance, status,
     *             previous ("" before the first look), ms since the wait began
     *   "call"    one HTTP request of an API call: time (seconds since 1970), method,
     *             path (of a very long one the beginning), status (0: no answer came),
     *             ms, attempt (from 1), request_id ("" where the API gave none). Requests
     *             for a token are not told.
     *   others    what a script gives to ui.event{event = "NAME", ...} */
    void (*event)(void *ud, const char *json, size_t len);
    /* Asked before something is destroyed: enum halo_answer. HALO_LATER leaves the run
     * waiting for halo_answer, and other runs going on. question is only valid during the
     * call. Without this callback every question is answered HALO_NO. */
    int (*confirm)(void *ud, halo_run *run, const char *question);
    int dry_run;     /* 1: calls that change anything are refused; scripts show what they
                        would do */
    int token_cache; /* 1: tokens, and for each client id the request rate, are shared
                        with the user's other processes, in files of mode 0600 in
                        $XDG_CACHE_HOME/halo (default ~/.cache/halo) */
    int no_profiles; /* 1: no profile is read, also when a script or HALO_PROFILE names
                        one: credentials and base_url are those above, as for a sandbox */
    const char *ca_file; /* a bundle of CA certificates (PEM) to trust instead of the
                            system's; default: AURA_CA_FILE. One that cannot be read fails
                            the first call with HALO_USAGE */
    int run_ms; /* longest a run may last, waits included; then it is cancelled, and two
                        seconds later ended; 0: no limit */
    int max_tasks; /* of one run at a time; 0: no limit, or 10000 when restricted */
    int max_files; /* descriptors that the host's scripts hold by fs and process; 0: no limit,
                        or 64 when restricted */
    size_t max_response; /* bytes of one answer of the API; 0: 16 MB */
} halo_config;

/* The start of every configuration: halo_config cfg = HALO_CONFIG_INIT; */
#ifdef __cplusplus
static inline halo_config halo_config_init()
{
    halo_config cfg = halo_config();
    cfg.size = sizeof(halo_config);
    return cfg;
}
#define HALO_CONFIG_INIT halo_config_init()
#else
/* clang-format off */
#define HALO_CONFIG_INIT { .size = sizeof(halo_config) }
/* clang-format on */
#endif

/* The version of the library in use, as 0x00MMmmpp. */
HALO_EXPORT unsigned halo_version(void);

/* What an error means, in a few words. Static, never NULL, also for unknown numbers. */
HALO_EXPORT const char *halo_strerror(int err);

/* The exit code that the halo program uses for an error (0 for HALO_OK). */
HALO_EXPORT int halo_exit_code(int err);

/* ---- hosts ---- */

/* Opens a host. cfg may be NULL for the defaults and is not kept. On error *out is NULL.
 * Errors: HALO_NOMEM; HALO_USAGE for a bad value, for a size that HALO_CONFIG_INIT has
 * not set, and for a field that this version does not know and that is not zero. No
 * request is made: base URL and credentials are looked at when a script makes its first
 * call. */
HALO_EXPORT int halo_open(halo_host **out, const halo_config *cfg);

/* Ends every run (their closers run, but may not wait), releases them and frees the host.
 * No other thread may be inside halo_wakeup or halo_interrupt, and no signal handler may
 * call the latter any more. NULL is fine. */
HALO_EXPORT void halo_close(halo_host *h);

/* Makes a native module available to require(name) in every later run. open is a
 * lua_CFunction and returns the module, as luaopen_NAME does; name is copied. A module of
 * this name that a script has required already stays as it is. Link the same Lua as halo
 * does. Errors: HALO_NOMEM, HALO_BUSY. */
HALO_EXPORT int halo_module(halo_host *h, const char *name,
                            int (*open)(struct lua_State *));

/* ---- starting runs ---- */

/* Starts a script: the path of a file (anything with a '/' or ending in ".lua") or the
 * name of a script, one of the user's own (~/.config/halo/scripts) or a bundled one. argv
 * ends with NULL, does not hold the name and may be NULL. Everything is copied. The
 * script does not run before the next halo_step or halo_wait. On error *out is NULL.
 * Errors: HALO_NOMEM, HALO_BUSY. A script that does not exist or does not compile, and
 * bad arguments, are reported by the run itself (HALO_USAGE or HALO_SCRIPT). */
HALO_EXPORT int halo_start(halo_host *h, const char *script, const char *const *argv,
                           halo_run **out);

/* Starts Lua source text, or, where code is NULL, the script that halo_start(h, name, ..)
 * would. For code, name is used in messages and may be NULL. json_args (may be NULL) is a
 * JSON object: {"instance":"3fa29c1e","timeout":600}. A script that describes itself gets
 * it as its named arguments, checked like those of the command line; plain code as the
 * global `arg`. (A JSON array is taken as the words of a command line.) Otherwise as
 * halo_start. Errors: HALO_NOMEM, HALO_BUSY, HALO_USAGE for json_args that are neither,
 * or when both code and name are NULL. */
HALO_EXPORT int halo_start_string(halo_host *h, const char *name, const char *code,
                                  const char *json_args, halo_run **out);

/* Lowers the highest effect of a run: HALO_READ lets it change nothing and HALO_CHANGE
 * destroy nothing, whatever its script says. A value above the present limit leaves that
 * as it is. A script whose declaration asks for more fails with HALO_DENIED before its
 * run function starts; so does any single call, and nothing is sent. Errors: HALO_USAGE
 * for an effect that is none, and for a run that has ended. */
HALO_EXPORT int halo_limit(halo_run *run, int effect);

/* ---- driving them ---- */

/* One turn of the loop: waits at most max_wait_ms (-1: as long as nothing is due), then
 * lets every script run that can. Returns the number of runs still alive, or HALO_BUSY.
 */
HALO_EXPORT int halo_step(halo_host *h, int max_wait_ms);

/* Milliseconds until a step is due: 0 when one is due now, -1 when only descriptors or
 * other threads can make one due. */
HALO_EXPORT int halo_timeout(const halo_host *h);

/* For a loop of your own (epoll, libuv, GLib, ...): writes the descriptors to watch for
 * reading into fds, at most `room` of them, and returns how many there are. It is one
 * (an epoll descriptor that stands for everything the host waits for), the same as long
 * as the host lives and owned by it. When it is readable, or halo_timeout has passed,
 * call halo_step(h, 0), and then ask halo_timeout again. */
HALO_EXPORT int halo_fds(const halo_host *h, int *fds, int room);

/* Steps until the run has ended; the other runs of its host go on meanwhile. Returns 0 or
 * its error, or HALO_BUSY. One that waits for halo_answer never ends here: use halo_step.
 */
HALO_EXPORT int halo_wait(halo_run *run);

/* Makes a waiting halo_step return soon, or the next one that would wait. Any thread. */
HALO_EXPORT void halo_wakeup(halo_host *h);

/* Stops all runs that are alive. The first call makes each current wait raise
 * `cancelled`, so that closers and handlers of the scripts still work; the second ends
 * the scripts where they stand, also one that computes. It only asks: the thread of the
 * host does it, in the halo_step or halo_wait that this makes return or in the next one.
 * Any thread, and safe in a signal handler. */
HALO_EXPORT void halo_interrupt(halo_host *h);

/* Like halo_interrupt for one run, from the host's thread. Fine for one that has ended.
 * Errors: HALO_BUSY. */
HALO_EXPORT int halo_cancel(halo_run *run);

/* Settles a question that the confirm callback answered with HALO_LATER: yes, or 0 for
 * no. The run goes on with the next step. HALO_USAGE when no question is open: it may
 * have been cancelled. */
HALO_EXPORT int halo_answer(halo_run *run, int yes);

/* ---- what came of it ---- */

/* The value the script returned, as JSON ("null" when it returned nothing), in *json, and
 * its length in *len unless that is NULL. Of a run that has failed: the table that its
 * error has as `result`, which tells what was done before (of several instances, what
 * came of each); otherwise NULL. Valid until the run is released. Returns 0, or the run's
 * error, or HALO_USAGE while it still runs. */
HALO_EXPORT int halo_result(const halo_run *run, const char **json, size_t *len);

/* The error of a failed run, as a JSON object: `kind` (of HALO_ERRORS) and `message`
 * always; where they are known op, id, method, path, status, reason, field, errors (as
 * the API lists them), request_id, attempts, hint (what the operator can do) and where
 * (file:line). The README says what each means. No other field of the script's error is
 * shown. Valid until the run is released; NULL unless the run has failed. Returns the
 * same as halo_result. */
HALO_EXPORT int halo_error(const halo_run *run, const char **json, size_t *len);

/* The error text of a failed run, for people: one line, a hint, and a traceback where the
 * script itself is at fault; "" when the run has not failed. Valid until the run is
 * released. */
HALO_EXPORT const char *halo_message(const halo_run *run);

/* Frees a run; one that is still alive is ended first, as by the second halo_cancel. NULL
 * is fine. */
HALO_EXPORT void halo_release(halo_run *run);

#ifdef __cplusplus
}
#endif

#endif
