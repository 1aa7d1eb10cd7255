// Keeps a page of the meeting up to date, and what is typed in it safe. Without this script the forms still work.
"use strict";
const body = document.body;
const shown = new Map();
const waiting = new Map(); // parts in which somebody types: drawn when they are left as they were
const EVERY = 1000;
let seq = body.dataset.seq, head = body.dataset.head, lost = false, busy = false;

// --- What is typed: kept in this window until it is recorded, whatever is drawn anew around it ---

const fields = form => [...form.querySelectorAll("input:not([type=hidden]), textarea")].filter(f => f.name);
const dirty = form => fields(form).some(f => f.value !== f.defaultValue);
const key = form => "pm:" + form.dataset.key;

function keep(form) {
  const typed = Object.fromEntries(fields(form).filter(f => f.value !== f.defaultValue).map(f => [f.name, f.value]));
  if (Object.keys(typed).length) sessionStorage.setItem(key(form), JSON.stringify(typed));
  else sessionStorage.removeItem(key(form));
}

function restore(root) {
  for (const form of root.querySelectorAll("form[data-key]")) {
    for (const role of ["proposer", "authoriser", "undo_authoriser", "voter"]) {
      const field = form.elements[role];
      const name = sessionStorage.getItem("pm-name:" + role.replace("undo_", ""));
      if (field && !field.value && name) field.value = field.defaultValue = name;
    }
    const typed = JSON.parse(sessionStorage.getItem(key(form)) || "{}");
    for (const field of fields(form)) {
      if (typed[field.name] !== undefined && !field.value) field.value = typed[field.name];
    }
    if (Object.keys(typed).length && form.closest("details")) form.closest("details").open = true;
    gate(form);
  }
}

// --- The reason comes before the grade ---

function gate(form) {
  if (form.dataset.gate === undefined) return;
  let shut = false;
  for (const button of form.querySelectorAll("button[data-needs]")) {
    button.disabled = button.dataset.needs.split(" ").some(name => !form.elements[name].value.trim());
    shut ||= button.disabled;
  }
  form.querySelector(".gate").hidden = !shut;
}

// --- Parts of the page drawn anew: only what changed, focus and opened details stay where they are ---

function draw(parts, sent) {
  for (const [id, html] of Object.entries(parts)) {
    const part = document.getElementById(id);
    if (!part || shown.get(id) === html) continue;
    const typing = f => dirty(f) || f.contains(document.activeElement);
    if (!sent && [...part.querySelectorAll("form[data-key]")].some(typing)) {
      waiting.set(id, html);
      continue;
    }
    waiting.delete(id);
    const opened = [...part.querySelectorAll("details[id]")].filter(d => d.open).map(d => d.id);
    const closed = [...part.querySelectorAll("details[id]")].filter(d => !d.open).map(d => d.id);
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    part.innerHTML = html;
    shown.set(id, html);
    for (const name of opened) document.getElementById(name)?.setAttribute("open", "");
    if (!sent) for (const name of closed) document.getElementById(name)?.removeAttribute("open");
    restore(part);
    if (focused) document.getElementById(focused)?.focus();
  }
  const clash = document.getElementById("clash");
  if (clash && !waiting.has("form")) clash.textContent = ""; // the form is of now: nothing is left that could clash
}

function tell(text) {
  if (text) document.getElementById("said").textContent = text;
}

function alarm(text) {
  const line = document.getElementById("lost");
  line.hidden = !text;
  line.textContent = text;
}

// --- Others' entries: asked for every second ---

function where() {
  const query = new URLSearchParams({after: seq, head, view: body.dataset.view, who: body.dataset.who});
  const form = document.querySelector('form[action="/decide"]');
  if (form) query.set("knew", form.elements.replaces.value);
  return query;
}

function take(answer, sent) {
  if (answer.seq !== undefined) [seq, head] = [String(answer.seq), answer.head];
  if (answer.parts) draw(answer.parts, sent);
  if (answer.said) tell(answer.said);
}

async function look() {
  if (!busy) {
    try {
      const answer = await fetch("/state?" + where(), {signal: AbortSignal.timeout(5000)});
      if (answer.status === 403) alarm(body.dataset.shut);
      else if (!answer.ok) throw new Error(answer.status);
      else {
        const found = await answer.json();
        if (lost) { alarm(""); tell(body.dataset.back); }
        lost = false;
        if (!busy) take(found);
        if (!busy && waiting.size) draw(Object.fromEntries(waiting));
      }
    } catch {
      if (!lost) alarm(body.dataset.lost);
      lost = true;
    }
  }
  setTimeout(look, EVERY);
}

// --- Recording ---

async function record(form, button) {
  if (busy) return;
  busy = true;
  const fill = new URLSearchParams(new FormData(form, button));
  for (const role of ["proposer", "authoriser", "undo_authoriser", "voter"]) {
    if (form.elements[role]) sessionStorage.setItem("pm-name:" + role.replace("undo_", ""), form.elements[role].value);
  }
  keep(form);
  tell(body.dataset.sending);
  const place = new URLSearchParams({after: seq, view: body.dataset.view, who: body.dataset.who});
  try {
    const answer = await fetch(form.getAttribute("action") + "?" + place, {
      method: "POST", body: fill, headers: {"X-Parts": "1"}, signal: AbortSignal.timeout(60000),
    });
    if (answer.status === 403) { alarm(body.dataset.shut); tell(" "); return; }
    if (!answer.ok && answer.status !== 422) throw new Error(answer.status);
    const found = await answer.json();
    alarm("");
    lost = false;
    const kept = sessionStorage.getItem(key(form));
    if (!found.refused) {
      sessionStorage.removeItem(key(form));
      for (const field of fields(form)) field.defaultValue = field.value;
    }
    take(found, form);
    if (found.refused) {
      if (kept) sessionStorage.setItem(key(form), kept);
      (document.querySelector("[aria-invalid=true]") || document.querySelector(".refused")?.closest("form")?.querySelector("textarea, input:not([type=hidden])"))?.focus();
    } else {
      document.getElementById("next")?.focus();
    }
  } catch {
    alarm(body.dataset.lost);
    lost = true;
    tell(" ");
  } finally {
    busy = false;
  }
}

document.addEventListener("submit", event => {
  const form = event.target;
  if (!form.dataset.key) return;
  event.preventDefault();
  record(form, event.submitter);
});
document.addEventListener("input", event => {
  const form = event.target.form;
  if (!form?.dataset.key) return;
  gate(form);
  keep(form);
});

restore(document);
document.querySelector(".refused")?.closest("form")?.querySelector("[aria-invalid=true]")?.focus();
setTimeout(look, EVERY);
