/*
 * A core without Go and without an engine, for what needs sanitizers or a fault on demand. It keeps the promises of
 * dcecore.h, but for the one that its docker_host names:
 *
 *   stub:hang          operations never end by themselves (as with an engine that hangs)
 *   stub:hang-open     dce_core_open takes 3 s
 *   stub:hang-submit   dce_core_submit never returns before close
 *   stub:fail-open     dce_core_open fails
 *   stub:panic-open    dce_core_open fails without a sentence
 *   stub:busy          nothing is accepted
 *   stub:refuse, stub:unavailable, stub:panic    operations end with that status
 *   stub:garbage       operations end well, with something that is no JSON
 *
 * Where DCE_STUB_LOG names a file, each operation is a line in it: its name, a space, its input.
 * STUB_VERSION and STUB_WITHOUT_SUBMIT make libraries that a module must refuse.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dcecore.h"

#ifndef STUB_VERSION
#define STUB_VERSION DCE_CORE_ABI_VERSION
#endif

const uint32_t dce_core_abi = STUB_VERSION;

uint32_t dce_core_abi_version(void) {
  return dce_core_abi;
}

struct operation {
  struct operation* next;
  char* op;
  char* input;
  struct timespec due; /* of the deadline */
  int hangs;
  dce_core_done done;
  void* cookie;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static struct operation* operations; /* in the order of their submission */
static pthread_t thread;
static dce_core opened; /* the handle, 0 while closed */
static dce_core last;
static char mode[32];
static unsigned long reaped;

static const char* const known[] = {"docker_host", "cgroups_root", "runtime_dir",        "work_dir",     "use_hierarchy",
                                    "grace",       "dry_run",      "reconcile_interval", "reap_volumes", "log_level"};
static const char* const names[] = {"attach", "hook.removed", "recover", "prepare",   "update",
                                    "usage",  "attribute",    "cleanup", "reconcile", "metrics"};

/* The end of the JSON string that begins at text, or NULL. */
static const char* string_end(const char* text) {
  if (*text != '"') {
    return NULL;
  }
  for (text++; *text != '\0' && *text != '"'; text++) {
    if (*text == '\\' && text[1] != '\0') {
      text++;
    }
  }
  return *text == '"' ? text + 1 : NULL;
}

/* The JSON string after "key": in object, with its quotes; to be freed. */
static char* field(const char* object, const char* key) {
  char quoted[64];
  snprintf(quoted, sizeof quoted, "\"%s\":", key);
  const char* at = strstr(object, quoted);
  const char* begin = at == NULL ? NULL : at + strlen(quoted);
  const char* end = begin == NULL ? NULL : string_end(begin);
  return end == NULL ? strdup("\"\"") : strndup(begin, (size_t)(end - begin));
}

/* Says in *error what is wrong with a config, which is an object of strings. */
static int check(const char* config, char** error) {
  const char* at = config;
  if (*at++ != '{') {
    at = NULL;
  }
  while (at != NULL && *at == '"') {
    const char* end = string_end(at);
    size_t i = 0;
    while (end != NULL && i < sizeof known / sizeof *known &&
           (strlen(known[i]) != (size_t)(end - at - 2) || strncmp(known[i], at + 1, strlen(known[i])) != 0)) {
      i++;
    }
    if (end != NULL && i == sizeof known / sizeof *known) {
      return asprintf(error, "The parameter %.*s is unknown", (int)(end - at), at) < 0 ? DCE_FAILED : DCE_INVALID;
    }
    at = end == NULL || *end != ':' ? NULL : string_end(end + 1);
    if (at != NULL && *at == ',') {
      at++;
    }
  }
  if (at == NULL || strcmp(at, "}") != 0) {
    *error = strdup("The config is not a JSON object of strings");
    return DCE_INVALID;
  }
  return DCE_OK;
}

static int before(const struct timespec* a, const struct timespec* b) {
  return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* Ends an operation without the mutex. */
static void end(struct operation* operation, int closed) {
  char* body = NULL;
  int32_t status = DCE_OK;
  size_t i = 0;
  while (i < sizeof names / sizeof *names && strcmp(names[i], operation->op) != 0) {
    i++;
  }
  char* container = field(operation->input, "container");
  const size_t length = strlen(operation->input);
  const char* const result = strcmp(mode, "stub:garbage") == 0     ? "no JSON"
                             : strcmp(operation->op, "usage") == 0 ? "{\"processes\":3,\"later\":\"\"}"
                             : strcmp(operation->op, "attribute") == 0
                                 ? "{\"executor_id\":{\"value\":\"e\"},\"framework_id\":{\"value\":\"f\"},"
                                   "\"labels\":{\"labels\":[{\"key\":\"io.dce.oom.service\",\"value\":\"web\"}]}}"
                                 : "{}";
  if (closed) {
    status = DCE_CLOSED;
  } else if (i == sizeof names / sizeof *names || length < 2 || operation->input[0] != '{' ||
             operation->input[length - 1] != '}') {
    status = DCE_INVALID;
  } else if (operation->hangs) {
    status = DCE_TIMEOUT;
  } else if (strcmp(operation->op, "attach") != 0) {
    status = strcmp(mode, "stub:refuse") == 0        ? DCE_REFUSED
             : strcmp(mode, "stub:unavailable") == 0 ? DCE_UNAVAILABLE
             : strcmp(mode, "stub:panic") == 0       ? DCE_PANIC
                                                     : DCE_OK;
  }
  int written = 0;
  if (status != DCE_OK) {
    written = asprintf(&body, "The stub ends %s with status %d", operation->op, status);
  } else if (strcmp(operation->op, "prepare") == 0 && strcmp(mode, "stub:garbage") != 0) {
    written =
        asprintf(&body, "{\"environment\":{\"variables\":[{\"name\":\"DCE_CGROUP_PARENT\",\"value\":%s}]}}", container);
  } else if (strcmp(operation->op, "metrics") == 0 && strcmp(mode, "stub:garbage") != 0) {
    pthread_mutex_lock(&mutex);
    written = asprintf(&body,
                       "{\"containers_reaped\":%lu,\"orphans_found\":0,\"reap_failures\":0,\"core_panics\":0,"
                       "\"queue_length\":1,\"engine_up\":1,\"hierarchy_enforced\":1}",
                       reaped);
    pthread_mutex_unlock(&mutex);
  } else {
    written = asprintf(&body, "%s", result);
  }
  if (status == DCE_OK && strcmp(operation->op, "cleanup") == 0) {
    pthread_mutex_lock(&mutex);
    reaped++;
    pthread_mutex_unlock(&mutex);
  }
  operation->done(operation->cookie, status, written < 0 ? NULL : body, written < 0 ? 0 : (size_t)written);
  free(body);
  free(container);
  free(operation->op);
  free(operation->input);
  free(operation);
}

/* Takes the first operation that can end now, or NULL; *due is when to look again. Needs the mutex. */
static struct operation* ripe(struct timespec* due) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  *due = now;
  due->tv_sec += 3600;
  for (struct operation** at = &operations; *at != NULL; at = &(*at)->next) {
    struct operation* const operation = *at;
    if (opened == 0 || !operation->hangs || before(&operation->due, &now)) {
      *at = operation->next;
      return operation;
    }
    if (before(&operation->due, due)) {
      *due = operation->due;
    }
  }
  return NULL;
}

static void* run(void* unused) {
  pthread_mutex_lock(&mutex);
  while (1) {
    struct timespec due;
    struct operation* const operation = ripe(&due);
    if (operation != NULL) {
      const int closed = opened == 0;
      pthread_mutex_unlock(&mutex);
      end(operation, closed);
      pthread_mutex_lock(&mutex);
    } else if (opened == 0) {
      break;
    } else {
      pthread_cond_timedwait(&changed, &mutex, &due);
    }
  }
  pthread_mutex_unlock(&mutex);
  return unused;
}

int32_t dce_core_open(dce_chars* config, size_t len, dce_core* core, char** error) {
  int status = DCE_OK;
  *core = 0;
  *error = NULL;
  char* const copy = config == NULL ? strdup("") : strndup(config, len);
  char* const host = field(copy, "docker_host");
  pthread_mutex_lock(&mutex);
  if (opened != 0) {
    *error = strdup("A core is open already");
    status = DCE_BUSY;
  } else if (strlen(copy) != len || strcmp(host, "\"stub:fail-open\"") == 0) {
    *error = strdup("The stub does not open");
    status = DCE_FAILED;
  } else if (strcmp(host, "\"stub:panic-open\"") == 0) {
    status = DCE_PANIC;
  } else {
    status = check(copy, error);
  }
  if (status == DCE_OK) {
    snprintf(mode, sizeof mode, "%.*s", (int)strlen(host) - 2, host + 1);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&changed, &monotonic);
    *core = opened = ++last;
    reaped = 0;
    pthread_create(&thread, NULL, run, NULL);
  }
  pthread_mutex_unlock(&mutex);
  if (status == DCE_OK && strcmp(mode, "stub:hang-open") == 0) {
    sleep(3);
  }
  free(host);
  free(copy);
  return status;
}

#ifndef STUB_WITHOUT_SUBMIT
static void note(const struct operation* operation) {
  const char* const path = getenv("DCE_STUB_LOG");
  FILE* const file = path == NULL ? NULL : fopen(path, "a");
  if (file != NULL) {
    fprintf(file, "%s %s\n", operation->op, operation->input);
    fclose(file);
  }
}

int32_t dce_core_submit(dce_core core, dce_chars* op, size_t op_len, dce_chars* input, size_t len, uint32_t timeout_ms,
                        dce_core_done done, void* cookie) {
  if (done == NULL) {
    return DCE_INVALID;
  }
  pthread_mutex_lock(&mutex);
  while (core == opened && core != 0 && strcmp(mode, "stub:hang-submit") == 0) {
    pthread_mutex_unlock(&mutex);
    usleep(10000);
    pthread_mutex_lock(&mutex);
  }
  if (core != opened || core == 0) {
    pthread_mutex_unlock(&mutex);
    return DCE_CLOSED;
  }
  if (strcmp(mode, "stub:busy") == 0) {
    pthread_mutex_unlock(&mutex);
    return DCE_BUSY;
  }
  struct operation* const operation = calloc(1, sizeof *operation);
  operation->input = strndup(input == NULL ? "" : input, len);
  operation->op = strlen(operation->input) == len ? strndup(op, op_len) : strdup("an input with a NUL");
  operation->hangs = strcmp(mode, "stub:hang") == 0;
  operation->done = done;
  operation->cookie = cookie;
  clock_gettime(CLOCK_MONOTONIC, &operation->due);
  operation->due.tv_sec += timeout_ms == 0 ? 3600 : timeout_ms / 1000;
  operation->due.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
  if (operation->due.tv_nsec >= 1000000000) {
    operation->due.tv_sec++;
    operation->due.tv_nsec -= 1000000000;
  }
  note(operation);
  struct operation** at = &operations;
  while (*at != NULL) {
    at = &(*at)->next;
  }
  *at = operation;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&mutex);
  return DCE_OK;
}
#endif

int32_t dce_core_close(dce_core core) {
  pthread_mutex_lock(&mutex);
  if (core == 0 || core != opened) {
    pthread_mutex_unlock(&mutex);
    return DCE_CLOSED;
  }
  opened = 0;
  const pthread_t ending = thread;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&mutex);
  pthread_join(ending, NULL);
  return DCE_OK;
}

void dce_core_free(void* memory) {
  free(memory);
}
