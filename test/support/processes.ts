/** What the demo uses to run real processes serves the tests as well. */
export { endAllPrograms, Program, type Ready, runProgram, runToEnd, scratchFolder } from '../../bin/demo/processes.js';
