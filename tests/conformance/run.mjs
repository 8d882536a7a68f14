// @ts-check
// npm run conformance -- [--model FILE] [--json]
import { runTs } from '../setup/run-ts.mjs';

let code = 1;
try {
  code = await runTs('tests/conformance/main.ts', process.argv.slice(2));
} catch (error) {
  console.error(error);
}
// Dawn's threads would keep the process alive; what was printed must be out first
process.stdout.write('', () => process.exit(code));
