/** What every page looks like: light and dark, wide and narrow. */
export const style = `:root {
  color-scheme: light dark;
  --ink: #1c2330;
  --paper: #ffffff;
  --quiet: #667085;
  --line: #d8dde6;
  --point-lightness: 42%;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6e9ef;
    --paper: #14181f;
    --quiet: #98a2b3;
    --line: #333b48;
    --point-lightness: 66%;
  }
}
body {
  margin: 0 auto;
  padding: 1.5rem;
  max-width: 78rem;
  font:
    15px/1.5 system-ui,
    sans-serif;
  color: var(--ink);
  background: var(--paper);
}
h1 {
  font-size: 1.5rem;
  margin: 0;
}
h2 {
  font-size: 1.15rem;
  margin: 2rem 0 0.5rem;
}
p {
  max-width: 50rem;
  color: var(--quiet);
}
#plots,
.figures {
  display: grid;
  grid-template-columns: minmax(0, 1fr);
  gap: 2rem;
}
figure {
  margin: 0;
  min-width: 0;
}
figcaption {
  font-weight: 600;
}
.read {
  min-height: 1.5em;
  color: var(--quiet);
  font-size: 0.9em;
  overflow-wrap: anywhere;
}
.u-legend {
  color: var(--ink);
  font-size: 12px;
}
table {
  border-collapse: collapse;
  font-size: 13px;
  display: block;
  overflow-x: auto;
}
th,
td {
  text-align: left;
  padding: 0.2rem 0.8rem 0.2rem 0;
  border-bottom: 1px solid var(--line);
  white-space: nowrap;
  font-variant-numeric: tabular-nums;
}
th {
  color: var(--quiet);
  font-weight: 500;
}
.words {
  white-space: normal;
  min-width: 15rem;
}
.figures {
  margin: 1rem 0;
}
canvas {
  display: block;
  width: 100%;
  touch-action: none;
}
.key {
  display: flex;
  flex-wrap: wrap;
  gap: 0.2rem 1rem;
  font-size: 12px;
}
.key i {
  display: inline-block;
  width: 1.4em;
  height: 0.25em;
  margin-right: 0.4em;
  vertical-align: middle;
}
.verdict {
  max-width: 50rem;
  color: var(--ink);
  border-left: 3px solid var(--quiet);
  padding-left: 0.8rem;
}
`;
