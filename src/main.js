// Runs on any Node. It refuses a Node that is too old to run TypeScript before it loads anything else.

const required = 24;
if (Number.parseInt(process.versions.node, 10) < required) {
  console.error(
    `Gapless needs Node ${required} or later, and this is Node ${process.versions.node}. \`npm start\` brings the right one with it.`,
  );
  process.exit(1);
}
await import('./serve.ts');
