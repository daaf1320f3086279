//go:build ignore

/*
 * pause is the first process of a pod's infra container: it holds the namespaces, reaps zombies where the pid namespace
 * is shared, and exits 0 on SIGTERM and SIGINT, as PID 1 and otherwise. No libc, nothing allocated. Built by
 *
 *   gcc -Os -static -nostdlib -ffreestanding -fno-pie -no-pie -fno-ident -fno-stack-protector \
 *     -fno-asynchronous-unwind-tables -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,noexecstack -s \
 *     -Wall -Wextra -Werror -o go/pause/pause go/pause/pause.c
 *
 * The line at the top keeps the Go tool from taking this file for cgo.
 */

typedef unsigned long word;

#if defined(__x86_64__)
enum { sys_rt_sigprocmask = 14, sys_wait4 = 61, sys_rt_sigtimedwait = 128, sys_exit_group = 231 };

static word syscall4(word number, word a, word b, word c, word d) {
  word result;
  register word r10 __asm__("r10") = d;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
enum { sys_rt_sigprocmask = 135, sys_wait4 = 260, sys_rt_sigtimedwait = 137, sys_exit_group = 94 };

static word syscall4(word number, word a, word b, word c, word d) {
  register word x8 __asm__("x8") = number;
  register word x0 __asm__("x0") = a;
  register word x1 __asm__("x1") = b;
  register word x2 __asm__("x2") = c;
  register word x3 __asm__("x3") = d;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
}
#else
#error "pause knows x86_64 and aarch64"
#endif

enum { sigint = 2, sigterm = 15, sigchld = 17, sig_block = 0, wnohang = 1 };

#define bit(signal) (1UL << ((signal)-1))

// The signals are blocked and waited for: the kernel never discards a blocked signal, not even for PID 1, for which it
// ignores those that have no handler.
void _start(void) {
  const word set = bit(sigint) | bit(sigterm) | bit(sigchld);
  syscall4(sys_rt_sigprocmask, sig_block, (word)&set, 0, sizeof set);
  for (;;) {
    const word signal = syscall4(sys_rt_sigtimedwait, (word)&set, 0, 0, sizeof set);
    if (signal == sigint || signal == sigterm)
      syscall4(sys_exit_group, 0, 0, 0, 0);
    // One SIGCHLD may stand for several children.
    while ((long)syscall4(sys_wait4, (word)-1, 0, wnohang, 0) > 0) {
    }
  }
}
