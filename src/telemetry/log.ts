// The process log: one JSON line for each thing that happened, on standard output.
import { pino } from 'pino';
import type { Log } from '../ports/telemetry.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** A log that writes lines of at least this level. Messages are constant; facts are fields. */
export function createLog(level: LogLevel, write: (line: string) => void): Log {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: levelName },
    },
    { write },
  );
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
  };
}

function levelName(label: string): { readonly level: string } {
  return { level: label };
}
