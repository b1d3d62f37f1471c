import { reportPage } from '../../lib/page/report';

const report = {
  title: 'a < b',
  verdict: ['It is "so" & </script>.'],
  sections: [
    {
      heading: 'First',
      figures: [
        {
          kind: 'lines' as const,
          title: 't',
          xLabel: 'x',
          yLabel: 'y',
          x: [0, 1],
          series: [{ label: '</script>', y: [1, null], color: 0 }],
        },
      ],
      tables: [{ head: ['h'], lines: [['<b>'], ['2']] }],
    },
    { heading: 'Second', text: ['words'] },
  ],
};

test('the page stands alone, in order, and nothing in it is taken for markup', () => {
  const page = reportPage(report);
  expect(page).not.toMatch(/<(script|link|img)[^>]* (src|href)=/);
  expect(page.match(/<\/script>/g)).toHaveLength(2);
  expect(page).toContain('<h1>a &#60; b</h1>');
  expect(page).toContain('It is &#34;so&#34; &#38; &#60;/script&#62;.');
  expect(page).toMatch(
    /<h2>First<\/h2>[^]*data-figure="0"[^]*<td>&#60;b&#62;<\/td>[^]*<h2>Second<\/h2>\n<p>words<\/p>/,
  );
  const data = JSON.parse(/const data = (.*);\n/.exec(page)![1]!) as { figures: unknown[] };
  expect(data.figures).toEqual(report.sections[0]!.figures);
});
