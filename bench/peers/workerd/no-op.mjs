/** A Worker without state. */
export default {
  fetch() {
    return new Response("ok");
  },
};
