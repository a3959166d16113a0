import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultSanitize } from '../../../node/toolbox/parameters/sanitizer.js';
import type { Toolbox } from '../../../node/toolbox/tool.js';
import { fakeContext, id } from './fake-context.js';
import { runTool, temporaryFolder, toolboxOf } from './run-tool.js';

let toolbox: Toolbox;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
  toolbox = await toolboxOf(folder.path, {
    't.xml': `<tool id="t" name="T" version="1">
      <command detect_errors="exit_code"><![CDATA[printf '%s|' '$text' "$text" '$open' '$letters' '\${text.value}' '\${str($input.name)}' > '$out']]></command>
      <inputs>
        <param name="text" type="text" value=""/>
        <param name="open" type="text" value="">
          <sanitizer><valid initial="string.printable"><remove value="'"/></valid><mapping initial="none"><add source="'" target="_Q_"/></mapping></sanitizer>
        </param>
        <param name="letters" type="text" value="">
          <sanitizer invalid_char=""><valid initial="string.letters,string.digits"><add value="_"/><remove preset="string.digits"/></valid></sanitizer>
        </param>
        <param name="input" type="data" format="txt"/>
      </inputs>
      <outputs><data name="out" format="txt"/></outputs>
    </tool>`,
  });
});
afterAll(() => folder.remove());

describe('a text parameter', () => {
  it.each([
    ['plain text 1-2=3_4.(5)/6+7*8^9,:?!', 'plain text 1-2=3_4.(5)/6+7*8^9,:?!'],
    [`'; touch owned; '`, '__sq__X touch ownedX __sq__'],
    ['"$(touch owned)"', '__dq__X(touch owned)__dq__'],
    ['`touch owned`', 'Xtouch ownedX'],
    ['a\nb\rc\td', 'a__cn__b__cr__c__tc__d'],
    ['${HOME} $HOME', 'X__oc__HOME__cc__ XHOME'],
    ['<a> [b] {c} @d #e', '__lt__a__gt__ __ob__b__cb__ __oc__c__cc__ __at__d __pd__e'],
    ['a\\', 'aX'],
    ['a|b&c~d%e', 'aXbXcXdXe'],
    ['é😀', 'XX'],
    ['--option', '--option'],
  ])('%j reaches the command as %j', async (given, seen) => {
    const ran = await runTool(toolbox, 't', { text: given, input: { src: 'hda', id: id(1) } }, ['']);
    expect(ran.stderr).toBe('');
    expect(ran.outputs.out?.split('|').slice(0, 2)).toEqual([seen, seen]);
    expect(ran.outputs.out?.split('|')[4]).toBe(seen);
  });

  it('with a sanitizer of its own follows that', async () => {
    const inputs = { open: `it's $HOME; "x"`, letters: 'a1_b-c', input: { src: 'hda', id: id(1) } };
    const ran = await runTool(toolbox, 't', inputs, ['']);
    expect(ran.outputs.out?.split('|').slice(2, 4)).toEqual(['it_Q_s $HOME; "x"', 'a_bc']);
  });

  it('with a NUL character is refused before anything is prepared', () => {
    const context = fakeContext([{ id: id(1), hid: 1 }]);
    const { jobs, errors } = toolbox.expand(toolbox.tool('t')!, { text: 'a\0b', input: id(1) }, context);
    expect(jobs).toEqual([]);
    expect(errors).toEqual({ text: 'The text holds a NUL character.' });
  });

  it("a dataset's name cannot break out either", async () => {
    const data = [{ text: '', name: "'; touch owned; echo '$(id)" }];
    const ran = await runTool(toolbox, 't', { input: { src: 'hda', id: id(1) } }, data);
    expect(ran.outputs.out?.split('|')[5]).toBe('__sq__X touch ownedX echo __sq__X(id)');
  });

  it('never comes out with a character that means something to the shell, whatever it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(defaultSanitize(text)).toMatch(/^[A-Za-z0-9 \-=_.()/+*^,:?!]*$/);
      }),
    );
  });
});
