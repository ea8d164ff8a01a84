// The address of GraphQL. It is beside the page, which may be served under a path (BASE_PATH).

export const endpoint = new URL('graphql', document.baseURI).href;
