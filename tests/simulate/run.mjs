// @ts-check
// npm run simulate -- --hours H --devices N [--seed S] [--json]
import { runTs } from '../setup/run-ts.mjs';

const code = await runTs('tests/simulate/main.ts', process.argv.slice(2));
process.stdout.write('', () => process.exit(code));
