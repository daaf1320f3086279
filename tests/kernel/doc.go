// Package kernel tests what the kernel of this machine can't show: it boots other kernels in qemu, with a program of ours as their
// only process (guest), and reads what that found out. For tests only.
package kernel
