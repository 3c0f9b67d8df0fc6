// Draws the API's reference from the document that the service writes of itself.
SwaggerUIBundle({ url: "openapi.json", dom_id: "#reference", deepLinking: true, tryItOutEnabled: true });
