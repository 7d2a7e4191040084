#!/usr/bin/env node
// Process entry: argv in, exit code out.
import { callCooper } from './cli/program.ts';

// Whoever reads our output may have seen enough (`cooper replay … | head`): that is no failure.
process.stdout.on('error', (failure: NodeJS.ErrnoException) => {
  if (failure.code !== 'EPIPE') throw failure;
  process.exit(0);
});

process.exitCode = await callCooper(process.argv.slice(2));
