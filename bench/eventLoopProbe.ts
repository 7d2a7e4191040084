// A thread that asks /healthz without pause and remembers the slowest answer, as a kubelet would notice it.
import { get } from 'node:http';
import { parentPort, workerData } from 'node:worker_threads';

const EVERY_MS = 5;
let slowestMs = 0;
let slowestFairMs = 0;
let asked = 0;

/** Milliseconds until the answer is complete. */
function ask(port: number): Promise<number> {
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path: '/healthz' }, (response) => {
      response.resume();
      response.on('end', () => resolve(performance.now() - start));
    });
    request.on('error', reject);
  });
}

/** This thread may have had to wait for a processor itself: how long at most, seen by a timer of its own. */
let lastTickMs = performance.now();
let heldUpMs = 0;
setInterval(() => {
  const nowMs = performance.now();
  heldUpMs = Math.max(heldUpMs, nowMs - lastTickMs - 1);
  lastTickMs = nowMs;
}, 1);

parentPort?.on('message', (message: 'reset' | 'report') => {
  if (message === 'report') parentPort?.postMessage({ slowestMs, slowestFairMs, asked });
  slowestMs = 0;
  slowestFairMs = 0;
  asked = 0;
});

for (;;) {
  heldUpMs = 0;
  const answerMs = await ask(workerData as number);
  slowestMs = Math.max(slowestMs, answerMs);
  slowestFairMs = Math.max(slowestFairMs, answerMs - heldUpMs);
  asked += 1;
  await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
}
