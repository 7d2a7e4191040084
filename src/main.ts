#!/usr/bin/env node
// Process entry: argv in, exit code out.
import { callCooper } from './cli/program.ts';

process.exitCode = await callCooper(process.argv.slice(2));
