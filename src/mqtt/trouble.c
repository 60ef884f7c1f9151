/* Why a connection failed, out of what libmosquitto, OpenSSL and the system left of it. */
#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

#include "mqtt/client.h"

/* "OpenSSL Error[0]: error:0A000412:SSL routines::ssl/tls alert bad certificate" -> what follows "::". */
static const char *reason_in(const char *said)
{
    const char *at = strstr(said, "::");
    return at != NULL && strncmp(said, "OpenSSL Error", 13) == 0 ? at + 2 : said;
}

static int tls_trouble(struct mqtt_client *c, struct err *e)
{
    long verify = c->s.ssl != NULL ? SSL_get_verify_result(c->s.ssl) : X509_V_OK;
    if (verify == X509_V_ERR_HOSTNAME_MISMATCH || verify == X509_V_ERR_IP_ADDRESS_MISMATCH)
        return err_set(e, ERR_UNAUTHENTICATED, "the broker's certificate at %s is not for %s", c->broker,
                       c->host);
    if (verify != X509_V_OK)
        return err_set(e, ERR_UNAUTHENTICATED, "the certificate of the broker %s was refused: %s", c->broker,
                       X509_verify_cert_error_string(verify));
    return err_set(e, ERR_CRYPTO, "TLS with the broker %s failed: %s", c->broker, reason_in(c->s.said));
}

static int closed(struct mqtt_client *c, struct err *e)
{
    return err_set(e, ERR_IO, "the broker %s closed the connection%s", c->broker,
                   c->s.connected ? "" : " before it was set up (does it accept our certificate?)");
}

/* Of the connection under TLS: libmosquitto logged it out of OpenSSL's queue, or left it in errno, or had it
   and forgot it, which gives EPROTO. */
static int socket_trouble(struct mqtt_client *c, int errno_value, struct err *e)
{
    const struct session *s = &c->s;
    const char *reset = strerrordesc_np(ECONNRESET), *pipe_text = strerrordesc_np(EPIPE);
    const char *said = s->said[0] != '\0' ? reason_in(s->said) : strerrordesc_np(errno_value);
    if (said != NULL && (strcmp(said, reset) == 0 || strcmp(said, pipe_text) == 0))
        return closed(c, e);
    if (s->said[0] == '\0' && errno_value == EPROTO && s->reached)
        return closed(c, e);
    if (s->said[0] == '\0' && errno_value == EPROTO)
        return err_set(e, ERR_IO, "nothing accepts a connection at %s: is the broker running?", c->broker);
    return err_set(e, ERR_IO, "the connection to the broker %s failed: %s", c->broker,
                   said != NULL ? said : "the system does not say why");
}

int session_trouble(struct mqtt_client *c, int rc, int errno_value, struct err *e)
{
    struct session *s = &c->s;
    if (s->why.code != 0) {
        if (e != NULL)
            *e = s->why;
        return s->why.code;
    }
    if (strstr(s->said, ":system library:") != NULL)
        return socket_trouble(c, 0, e);
    if (s->said[0] != '\0' || (s->ssl != NULL && SSL_get_verify_result(s->ssl) != X509_V_OK)) {
        s->reached = true; /* also when the answer came while the connection was still being made */
        return tls_trouble(c, e);
    }
    if ((rc == MOSQ_ERR_ERRNO || rc == MOSQ_ERR_TLS) && errno_value != 0)
        return socket_trouble(c, errno_value, e);
    if (rc == MOSQ_ERR_KEEPALIVE)
        return err_set(e, ERR_TIMEOUT, "the broker %s does not answer any more", c->broker);
    if (rc == MOSQ_ERR_CONN_LOST || rc == MOSQ_ERR_NO_CONN)
        return closed(c, e);
    return err_set(e, ERR_IO, "the connection to the broker %s failed: %s", c->broker,
                   mosquitto_strerror(rc));
}
