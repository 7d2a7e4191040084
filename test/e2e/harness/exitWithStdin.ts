// Preloaded into child processes of Node.js: they end when their standard input closes, that is, with their parent.
process.stdin.once('end', () => process.exit(1));
process.stdin.once('error', () => process.exit(1));
process.stdin.resume();
// It must not keep alive a process that has done its work.
(process.stdin as unknown as { unref?: () => void }).unref?.();
