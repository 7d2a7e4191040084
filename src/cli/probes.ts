// The HTTP endpoints that Kubernetes and Prometheus ask: /healthz, /readyz, /metrics.
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a path answers; a missing path is 404. */
export type Routes = Readonly<Record<string, () => Promise<Answer> | Answer>>;

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export function textAnswer(status: number, body: string): Answer {
  return { status, contentType: 'text/plain; charset=utf-8', body };
}

/** Serves GET of the routes; resolves with the server and the port it got. Rejects when the port is taken. */
export async function serveRoutes(
  routes: Routes,
  port: number,
): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer(async (request, response) => {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
    const { status, contentType, body } = await answer(request.method, route);
    response.writeHead(status, { 'content-type': contentType }).end(request.method === 'HEAD' ? '' : body);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, resolve);
  });
  return { server, port: (server.address() as AddressInfo).port };
}

async function answer(method: string | undefined, route: Routes[string] | undefined): Promise<Answer> {
  if (route === undefined) return textAnswer(404, 'not found\n');
  if (method !== 'GET' && method !== 'HEAD') return textAnswer(405, 'only GET is answered here\n');
  try {
    return await route();
  } catch (failure) {
    return textAnswer(500, `${String(failure)}\n`);
  }
}
