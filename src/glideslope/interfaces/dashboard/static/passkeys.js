// Passkeys: hands the browser what the page carries, and sends its answer in the same form. Without this file a password signs in.
"use strict";
(() => {
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const named = (list) => (list || []).map((each) => ({ ...each, id: bytes(each.id) }));

  const options = (form) => {
    const asked = JSON.parse(form.dataset.options);
    const publicKey = { ...asked, challenge: bytes(asked.challenge) };
    if (asked.user) publicKey.user = { ...asked.user, id: bytes(asked.user.id) };
    if (asked.excludeCredentials) publicKey.excludeCredentials = named(asked.excludeCredentials);
    if (asked.allowCredentials) publicKey.allowCredentials = named(asked.allowCredentials);
    return { publicKey };
  };

  const answer = (made) => {
    const response = {};
    for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (made.response[part]) response[part] = text(made.response[part]);
    }
    return JSON.stringify({ id: made.id, rawId: text(made.rawId), type: made.type, response, clientExtensionResults: {} });
  };

  const why = (error) => {
    if (error.name === "NotAllowedError") return "It was cancelled, or took too long. Nothing was changed.";
    if (error.name === "InvalidStateError") return "This device has a passkey of yours already.";
    return `The browser cannot: ${error.message}`;
  };

  if (!window.PublicKeyCredential || !navigator.credentials) return;
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const said = form.querySelector("[data-said]");
      said.textContent = "Your browser asks you now.";
      try {
        const made = form.dataset.passkey === "create"
          ? await navigator.credentials.create(options(form))
          : await navigator.credentials.get(options(form));
        form.elements.answer.value = answer(made);
        said.textContent = "";
        form.submit();
      } catch (error) {
        said.textContent = why(error);
      }
    });
  }
})();
