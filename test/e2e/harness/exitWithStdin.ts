// Preloaded into child processes of Node.js: they end when their standard input closes, that is, with their parent.
import { isMainThread } from 'node:worker_threads';

// Threads preload it too, and their standard input is not the process's: it would end them at once.
if (isMainThread) {
  process.stdin.once('end', () => process.exit(1));
  process.stdin.once('error', () => process.exit(1));
  process.stdin.resume();
  // It must not keep alive a process that has done its work.
  (process.stdin as unknown as { unref?: () => void }).unref?.();
}
