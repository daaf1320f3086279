/*
 * The C interface of libdcecore.so, the Go core of the agent module. The module (module-cpp) loads the library with
 * dlopen, asks for the version first, and binds the five functions below by name.
 *
 * Threads. The module makes every call from one thread of its own that has all asynchronous signals blocked; threads
 * that the core starts inherit that mask. The core calls back on any of its threads.
 *
 * Memory. Inputs belong to the caller and are copied before the call returns. What a callback gets belongs to the core
 * and is valid until the callback returns. The error of dce_core_open is freed with dce_core_free. Bytes are UTF-8,
 * with their length and not terminated, unless the name says otherwise.
 *
 * Time. No function waits for the engine, for a file or for a lock that is held while doing so: each returns within
 * microseconds also while the engine hangs, but for dce_core_open, which may take as long as the runtime needs to
 * start.
 *
 * Faults. Every function recovers from panics before it touches memory, and so does every goroutine. DCE_OK is returned
 * where the work was done, and never otherwise. The core logs what fails and counts its panics; the module logs only
 * what it decides itself.
 */
#ifndef DCECORE_H
#define DCECORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised by every change that a module or a core of the other side would misunderstand. */
#define DCE_CORE_ABI_VERSION 2u

/* What a function returns and what a callback reports. Values keep their meaning for ever; unknown ones are failures.
 */
enum {
  DCE_OK = 0,
  DCE_INVALID = 1,     /* the input is not what this header says: a fault of the caller */
  DCE_REFUSED = 2,     /* the agent must not go on: the launch or the update is to fail with this sentence */
  DCE_TIMEOUT = 3,     /* the deadline passed; the work goes on in the background and its outcome is in the metrics */
  DCE_UNAVAILABLE = 4, /* the engine or a file of the kernel could not be reached; what is owed is tried again */
  DCE_BUSY = 5,        /* too many operations are under way; nothing was accepted */
  DCE_CLOSED = 6,      /* the core was closed before the operation ended, or is closed */
  DCE_FAILED = 7,      /* anything else that went wrong; the sentence says what */
  DCE_PANIC = 100      /* a fault of the core: the operation did not take place, or not wholly */
};

/* Typedefs with const, because cgo can name them in the parameters of exported functions: *C.dce_chars. */
typedef const char dce_chars;
typedef uintptr_t dce_core; /* an opaque handle; 0 is none */

/*
 * The end of an operation. status is one of the above. With DCE_OK, bytes are the operation's JSON object; with any
 * other status one sentence for the operator. Called exactly once for every accepted submit: also after a deadline, a
 * panic and a close, and never from within dce_core_submit. It never blocks, and nothing is thrown or longjmp'ed
 * through it.
 */
typedef void (*dce_core_done)(void* cookie, int32_t status, dce_chars* bytes, size_t len);

typedef uint32_t (*dce_core_abi_version_fn)(void);
typedef int32_t (*dce_core_open_fn)(dce_chars* config, size_t len, dce_core* core, char** error);
typedef int32_t (*dce_core_submit_fn)(dce_core core, dce_chars* op, size_t op_len, dce_chars* input, size_t len,
                                      uint32_t timeout_ms, dce_core_done done, void* cookie);
typedef int32_t (*dce_core_close_fn)(dce_core core);
typedef void (*dce_core_free_fn)(void* memory);

/* The five functions below, for a caller that binds them by name. */
typedef struct {
  dce_core_abi_version_fn abi_version;
  dce_core_open_fn open;
  dce_core_submit_fn submit;
  dce_core_close_fn close;
  dce_core_free_fn free;
} dce_core_functions;

/* Left out by callers that bind by name only. */
#ifndef DCE_CORE_TYPES_ONLY

/* The DCE_CORE_ABI_VERSION that the library was built with. Asked before everything else. */
uint32_t dce_core_abi_version(void);

/* The same as data, so that tools (`dce doctor`) read it off the file and run nothing of it. The module has its own in
 * dce_module_abi. */
extern const uint32_t dce_core_abi;

/*
 * Opens a core; there is one at a time, and a new one may be opened when the last was closed. The config is a JSON
 * object with the module's parameters as the operator wrote them, but for "core": all values are strings, and what was
 * not given is not there. The core checks them and has the defaults; an unknown key (say which ones there are) and a
 * value that can't be are DCE_INVALID with one sentence, and the module then refuses to load. Durations are Mesos'
 * ("250ms", "10secs").
 *
 *   "docker_host"         where the engine is; default: what the environment and Docker say
 *   "cgroups_root"        the agent's --cgroups_root; default "mesos"
 *   "runtime_dir"         the agent's --runtime_dir; default "/var/run/mesos". The journal is in
 *                         <runtime_dir>/isolators/org_apache_mesos_ComposePodIsolator/
 *   "work_dir"            the agent's --work_dir, and so io.dce.scope; default: what the sandboxes of recover and
 *                         prepare say, and until then the command line and MESOS_WORK_DIR of the process
 *   "use_hierarchy"       "enforce" (default), "require", "warn" or "off"
 *   "grace"               what belongs to no known container is left alone until it is this old; default "10secs"
 *   "reconcile_interval"  1secs or more; how often everything is listed and compared; default "5mins"
 *   "reap_volumes"        "true" (default) or "false": whether volumes that were named for a pod go with it
 *   "dry_run"             "true" or "false" (default): say what would be removed, and remove nothing
 *   "log_level"           "debug", "info" (default), "warning" or "error"; the core logs to standard error
 *
 * An engine that is down is no error: open never asks it. On DCE_OK *core is a handle and *error is NULL; otherwise
 * *core is 0 and *error is a terminated sentence, to be freed with dce_core_free (or NULL where there was no memory).
 */
int32_t dce_core_open(dce_chars* config, size_t len, dce_core* core, char** error);

/*
 * Starts the operation op with a JSON object as its input and returns. DCE_OK: accepted, and done is called
 * exactly once with cookie. Anything else (DCE_BUSY, DCE_CLOSED, DCE_PANIC, or DCE_INVALID without a callback):
 * not accepted, and done is not called. The deadline counts from the call; when it passes, done is called with
 * DCE_TIMEOUT. 0 is no deadline.
 *
 * Every container is a Mesos container id, every framework and executor a Mesos id; all of them may hold any
 * character but control characters and '/'. Paths are absolute. Input that is no JSON, unknown operations and
 * unknown keys end with DCE_INVALID.
 *
 * attach        {"module": "Hook" | "Isolator"}  ->  {}
 *     A module of this kind was created, and stays until close; upper and lower case are the same. Once the isolator is
 *     attached, nothing counts as an orphan until recover has said what lives, or has failed: from then on what has a
 *     process lives, too. The hook alone has no recover: what lives then are executors with a process.
 *
 * hook.removed  {"framework": s, "executor": s, "at_ns": n}  ->  {}
 *     The agent removed this executor at this time (nanoseconds since 1970). What it left and what was created
 *     before then is owed; a later run of the same executor id is not meant. Ends as soon as the debt is taken
 *     over (in the journal, or covered by labels), not when it is paid. Comes for executors that are none of ours
 *     too. One that is not accepted for DCE_BUSY has everything compared.
 *
 * recover       {"states": [STATE, ...], "orphans": [ID, ...]}  ->  {}
 *     What the agent found when it started; comes once, also with both lists empty. orphans are containers that the
 *     agent is about to destroy: a cleanup follows for each. The sandboxes give the agent's work_dir, and so
 *     io.dce.scope. Ends when the live set is known; what belongs to none of it is removed in the background.
 *
 * prepare       {"container": s, "config": CONFIG}  ->  fields of mesos.slave.ContainerLaunchInfo
 *     Before an executor starts, and after the agent made its cgroup. Comes for every executor, ours or not: the
 *     core tells them apart by the command and refuses only its own. The output is JSON by the names in the .proto,
 *     such as {"environment": {"variables": [{"name": "DCE_CGROUP_PARENT", "value": s}, ...]}}; the agent gives it to
 *     the executor. DCE_REFUSED fails the launch with the sentence. Any other failure lets it go on, for the executor
 *     checks again; but where use_hierarchy is "require" the module fails the launch of what may be a pod.
 *
 * update        {"container": s, "config": CONFIG}  ->  {}
 *     The container's resources changed. Of CONFIG only resources and limits are there. DCE_REFUSED fails the update,
 *     and the agent then destroys the container.
 *
 * usage         {"container": s}  ->  fields of mesos.ResourceStatistics
 *     What the pod uses beyond what the agent measures itself, by the names in the .proto; {} for nothing. The
 *     module sets the timestamp.
 *
 * attribute     {"container": s}  ->  fields of mesos.ExecutorInfo
 *     Before the cleanup of a container: its executor_id, framework_id and labels, where these labels are to be in
 *     the status of the tasks that the agent ends with it (slaveTaskStatusDecorator); {} for nothing. They say what the
 *     kernel killed for want of memory: from what the executor noted in its sandbox, or else the core heard itself.
 *
 * cleanup       {"container": s}  ->  {}
 *     The container ended and its processes are gone; its cgroup is not yet. Ends when nothing of it is left.
 *     After the deadline, and where the engine can't be reached, the work goes on in the background. Comes for
 *     unknown containers too.
 *
 * reconcile     {}  ->  {}
 *     Compare everything now, and not only at the next interval. Ends when that was started.
 *
 * metrics       {}  ->  {"containers_reaped": n, "orphans_found": n, "reap_failures": n, "core_panics": n,
 *                "queue_length": n, "engine_up": 0 | 1, "hierarchy_enforced": 0 | 1, "pods": n, "pods_cpu_seconds": x,
 *                "pods_throttled_seconds": x, "pods_memory_bytes": n, "pods_cache_bytes": n, "pods_pids": n,
 *                "pods_block_bytes": n, "pods_network_bytes": n}
 *     From memory, but for those of pods, which are read from their cgroups at most once a second. The first four only
 *     grow. queue_length is the number of executors and containers whose clean-up has not ended; engine_up tells of the
 *     last call to the engine; hierarchy_enforced is 1 where cgroups_root was verified to be hierarchical (always so on
 *     cgroup v2). What pods use is the sum of those that live: memory without the page cache, which is apart, and
 *     bytes of block devices and networks of both directions.
 *
 * ID, STATE and CONFIG are messages of Mesos in JSON, by the names in its .proto and as stout's JSON::protobuf has
 * them: mesos.ContainerID, mesos.slave.ContainerState and mesos.slave.ContainerConfig. Versions of Mesos differ: what
 * is not there is the default, and fields that the core does not know are passed over. A limit of -1 or null is "no
 * limit". CONFIG has limits from Mesos 1.10 on, and then only what differs from the resources.
 */
int32_t dce_core_submit(dce_core core, dce_chars* op, size_t op_len, dce_chars* input, size_t len, uint32_t timeout_ms,
                        dce_core_done done, void* cookie);

/*
 * Ends a core. Operations under way end with DCE_CLOSED; background work stops where that loses nothing that the
 * journal or the labels do not hold. No callback runs after the return. A handle that is not open is DCE_CLOSED.
 */
int32_t dce_core_close(dce_core core);

/* Frees what dce_core_open allocated. NULL is allowed. */
void dce_core_free(void* memory);

#endif

#ifdef __cplusplus
}
#endif

#endif
