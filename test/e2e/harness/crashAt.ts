// Preloaded into the controller: it dies, as if by SIGKILL, right before or right after a request that the test names.
import { type ClientRequest, default as http } from 'node:http';
import https from 'node:https';
import { syncBuiltinESMExports } from 'node:module';

/**
 * `COOPER_TEST_CRASH_AT` is `before <needle>` or `after <needle>`. The needle is looked for in
 * `METHOD path body` of each request that goes out: `POST /apis/karpenter.sh/v1/nodeclaims`, `Action=CreateFleet`.
 * `after` dies once the answer has come and before the controller sees it.
 */
const [moment = '', ...rest] = (process.env.COOPER_TEST_CRASH_AT ?? '').split(' ');
const needle = rest.join(' ');

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

/** Dry runs ask, and do nothing: the checks at start send one for each call. */
function isMeant(sent: string): boolean {
  return sent.includes(needle) && !sent.includes('DryRun=true');
}

function watched(request: ClientRequest): ClientRequest {
  let sent = `${request.method} ${request.path} `;
  const gather = (chunk: unknown): void => {
    if (typeof chunk === 'string' || chunk instanceof Uint8Array)
      sent += Buffer.from(chunk as string).toString();
  };
  const write = request.write.bind(request) as (...args: unknown[]) => boolean;
  const end = request.end.bind(request) as (...args: unknown[]) => ClientRequest;
  request.write = ((...args: unknown[]) => {
    gather(args[0]);
    return write(...args);
  }) as typeof request.write;
  request.end = ((...args: unknown[]) => {
    gather(args[0]);
    if (moment === 'before' && isMeant(sent)) die();
    return end(...args);
  }) as typeof request.end;
  request.prependListener('response', () => {
    if (moment === 'after' && isMeant(sent)) die();
  });
  return request;
}

if (needle !== '') {
  for (const module of [http, https]) {
    const request = module.request.bind(module) as (...args: unknown[]) => ClientRequest;
    module.request = ((...args: unknown[]) => watched(request(...args))) as typeof module.request;
  }
  syncBuiltinESMExports();
}
