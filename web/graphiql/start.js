// Starts GraphiQL with the options in the page. The workers of its editor are scripts of the same origin.

const { editorWorker, jsonWorker, graphqlWorker } = document.currentScript.dataset;
/** By the labels of Monaco, the editor. */
const workers = { editorWorkerService: editorWorker, json: jsonWorker, graphql: graphqlWorker };
globalThis.MonacoEnvironment = {
  globalAPI: false,
  getWorkerUrl: (_module, label) => new URL(workers[label], document.baseURI).href,
};
const options = JSON.parse(document.getElementById('options').textContent);
globalThis.YogaGraphiQL.renderYogaGraphiQL(document.getElementById('root'), options);
