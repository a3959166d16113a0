/** Macros as collections of wrappers use them. The numbers are how many real tools do. */
import { describe, expect, it } from 'vitest';
import { line, out, problemsOf, withTool } from './construct.js';

describe('macros', () => {
  it('macro <macros> (2268 tools)', async () => {
    const before = `<macros>
      <xml name="n"><param name="n" type="integer" value="5"/></xml>
      <macro name="o"><data name="out" format="txt"/></macro>
      <token name="@RUN@">echo</token>
    </macros>`;
    const tool = {
      before,
      inputs: '<expand macro="n"/>',
      outputs: '<expand macro="o"/>',
      command: "@RUN@ $n > '$out'",
    };
    expect(await out(tool)).toBe('5\n');
  });

  it('macro <import> (2038 tools)', async () => {
    const beside = {
      'macros.xml': `<macros><import>more.xml</import><xml name="n"><param name="n" type="integer" value="@N@"/></xml></macros>`,
      'more.xml': '<macros><token name="@N@">6</token></macros>',
    };
    const tool = {
      before: '<macros><import>macros.xml</import></macros>',
      inputs: '<expand macro="n"/>',
      command: 'x $n',
      beside,
    };
    expect(await line(tool)).toBe('x 6');
    const [problem] = await problemsOf({ ...tool, before: '<macros><import>../../etc/passwd</import></macros>' });
    expect(problem?.message).toMatch(/import/);
  });

  it('macro <expand> (2059 tools)', async () => {
    const before = `<macros>
      <xml name="pair" token_kind="first" tokens="more"><param name="@KIND@" type="text" value="@MORE@"/><yield/></xml>
      <xml name="named"><section name="s" title="S"><yield name="inside"/></section><yield/></xml>
    </macros>`;
    const inputs = `<expand macro="pair" kind="a" more="1"><param name="b" type="text" value="2"/></expand>
      <expand macro="named"><token name="inside"><param name="c" type="text" value="3"/></token><param name="d" type="text" value="4"/></expand>`;
    expect(await line({ before, inputs, command: 'x $a $b $s.c $d' })).toBe('x 1 2 3 4');
    // One that stands in another is expanded with it.
    const nested = `<macros><xml name="outer"><expand macro="inner"/></xml><xml name="inner"><param name="n" type="integer" value="9"/></xml></macros>`;
    expect(await line({ before: nested, inputs: '<expand macro="outer"/>', command: 'x $n' })).toBe('x 9');
    const [problem] = await problemsOf({ inputs: '<expand macro="nowhere"/>', command: 'x' });
    expect(problem?.message).toContain('nowhere');
  });

  it('macro <token> (2146 tools)', async () => {
    const before = `<macros><token name="@V@">2.1</token><token name="@SUFFIX@">3</token><token name="@CMD@"><![CDATA[
      echo 'one' &&
    ]]></token></macros><requirements><requirement type="package" version="@V@">samtools</requirement></requirements>`;
    const tool = { before, attributes: 'profile="20.05"', command: "@CMD@ echo '@V@+galaxy@SUFFIX@' > '$out'" };
    expect(await out(tool)).toBe('2.1+galaxy3\n');
    await withTool(tool, async (bench) =>
      expect(bench.tool.requirements).toMatchObject([{ name: 'samtools', version: '2.1' }]),
    );
  });
});
