// A file of its own, because the page's security policy allows no script in the page.
window.onload = () => {
  SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#api",
    deepLinking: true,
    tryItOutEnabled: true,
    // The default asks another host to judge the document.
    validatorUrl: null,
  });
};
