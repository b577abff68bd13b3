/**
 * Ends the process though a thread is stuck in a system call. process.exit() would wait for that
 * thread for ever; replacing the program does not, as the kernel ends the other threads, and it
 * works as PID 1, which no signal of its own can kill. Where the kernel cannot end a thread either,
 * the kubelet's SIGKILL is left.
 */
export function endHard(code: number): never {
  const { execPath } = process;
  if (process.execve !== undefined) {
    try {
      process.execve(execPath, [execPath, '-e', `process.exit(${code})`], {});
    } catch {
      // Not where execve is unknown (Windows), or the program cannot be read any more.
    }
  }
  process.exit(code);
}
