/* On a page that waits: goes on to its link by itself, with what follow.js noted behind the address. */
const { seconds } = document.currentScript.dataset;
setTimeout(() => location.replace(document.querySelector('main a').href + location.hash), Number(seconds) * 1000);
