/* .../confirmationBase...: updates that wait until their user agrees, and agreeing to all in advance. */
#include "ddi/device.h"
#include "ota/consent.h"
#include "ota/feedback.h"

static int put_auto(struct call *c, yyjson_mut_doc *doc, yyjson_mut_val *root, const struct auto_confirm *a)
{
    yyjson_mut_val *obj = yyjson_mut_obj_add_obj(doc, root, "autoConfirm");
    bool fine = yyjson_mut_obj_add_bool(doc, obj, "active", a->at != 0);
    if (fine && a->at != 0 && a->initiator[0] != '\0')
        fine = yyjson_mut_obj_add_str(doc, obj, "initiator", a->initiator);
    if (fine && a->at != 0 && a->remark[0] != '\0')
        fine = yyjson_mut_obj_add_str(doc, obj, "remark", a->remark);
    if (fine && a->at != 0)
        fine = yyjson_mut_obj_add_sint(doc, obj, "activatedAt", a->at);
    return fine ? 0 : device_no_memory(c);
}

int device_confirmation(struct call *c)
{
    struct auto_confirm a;
    int64_t waiting;
    int rc = device_begin(c);
    if (rc == 0)
        rc = ota_ddi_consent(c->db, c->arena, c->who->id, &a, &waiting, &c->err);
    auto_json_mut yyjson_mut_doc *doc = rc == 0 ? ddi_doc(c) : NULL;
    if (doc == NULL)
        return c->err.code;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    rc = put_auto(c, doc, root, &a);
    yyjson_mut_val *links = yyjson_mut_obj_add_obj(doc, root, "_links");
    const char *turn = a.at != 0 ? "deactivateAutoConfirm" : "activateAutoConfirm";
    if (rc == 0)
        rc = device_put_link(c, doc, links, turn, device_href(c, c->base_url, "/confirmationBase/%s", turn));
    if (rc == 0 && waiting != 0)
        rc = device_put_link(c, doc, links, "confirmationBase",
                             device_href(c, c->base_url, "/confirmationBase/%lld", (long long)waiting));
    return rc != 0 ? rc : ddi_body_reply(c, doc);
}

int device_confirmation_action(struct call *c)
{
    return device_show(c, DDI_FOR_CONFIRMATION, "confirmation");
}

int device_confirmation_feedback(struct call *c)
{
    auto_json yyjson_doc *doc = NULL;
    struct feedback said;
    int64_t action;
    int rc = device_begin_feedback(c, &action, &doc);
    if (rc == 0)
        rc = ota_feedback_messages(yyjson_doc_get_root(doc), c->arena, &said, &c->err);
    if (rc != 0)
        return rc;
    struct str word = json_text(yyjson_obj_get(yyjson_doc_get_root(doc), "confirmation"));
    bool confirmed = word.n > 0 && str_eq_nocase(word, STR("confirmed"));
    if (!confirmed && (word.n == 0 || !str_eq_nocase(word, STR("denied"))))
        return err_set(&c->err, ERR_INVALID, "\"confirmation\" is confirmed or denied");
    rc = ota_consent(c->ota, c->db, c->arena, c->who->id, action, confirmed, said.said, &c->err);
    return rc != 0 ? device_refused(c, rc) : device_done(c);
}

/* A text of any length and kind: the domain says what it may be. */
static struct str text_of(yyjson_val *body, const char *key)
{
    struct str s = json_text(yyjson_obj_get(body, key));
    return s.p != NULL ? s : STR("");
}

int device_auto_confirm(struct call *c)
{
    auto_json yyjson_doc *doc = NULL;
    int rc = device_begin(c);
    if (rc == 0)
        rc = ddi_body_read(c, &doc);
    yyjson_val *body = yyjson_doc_get_root(doc);
    if (rc == 0)
        rc = ota_consent_always(c->ota, c->db, c->arena, c->who->id, text_of(body, "initiator"),
                                text_of(body, "remark"), &c->err);
    return rc != 0 ? rc : device_done(c);
}

int device_auto_confirm_off(struct call *c)
{
    int rc = device_begin(c);
    if (rc == 0)
        rc = ota_consent_ask(c->ota, c->db, c->arena, c->who->id, &c->err);
    return rc != 0 ? rc : device_done(c);
}
