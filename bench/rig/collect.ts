// A Node preload for every contender: collects garbage on SIGUSR2, so that memory is measured after it. The second collection
// frees what finalizers of the first one released.

process.on('SIGUSR2', () => {
  for (let time = 0; time < 2; time += 1) globalThis.gc?.();
  process.stdout.write('collected\n');
});
