/* The text of nginx's configuration. */
#include "cmd/nginx.h"
#include "server/proxy.h"
#include "tls/policy.h"

static int put_head(const struct nginx_conf *n, struct buf *out)
{
    int rc = buf_printf(
        out,
        "# nginx in front of pqota, made by pqota nginx-conf. It goes into nginx's http block; on Debian:\n"
        "#   /etc/nginx/sites-available/pqota, linked from /etc/nginx/sites-enabled.\n");
    if (rc == 0 && n->warning != NULL)
        rc = buf_printf(out, "#\n# WARNING: %s\n", n->warning);
    return rc;
}

static int put_upstream(const struct nginx_conf *n, struct buf *out)
{
    const struct server_config *c = n->config;
    /* Idle connections end on this side first, so that no request meets one that pqota is closing. */
    long long idle = c->idle_seconds > 4 ? c->idle_seconds * 3 / 4 : 1;
    long long requests = c->requests_per_connection < 1000 ? c->requests_per_connection : 1000;
    return buf_printf(
        out,
        "\n"
        "upstream pqota {\n"
        "    server \"unix:%s\";\n"
        "    keepalive 64;\n"
        "    keepalive_timeout %llds;\n"
        "    keepalive_requests %lld;\n"
        "}\n"
        "\n"
        "# By which name and port the client came. Only HTTP/1.0 may leave Host out.\n"
        "map $http_host $pqota_host {\n"
        "    default $http_host;\n"
        "    \"\" $host;\n"
        "}\n"
        "map $http_host $pqota_port {\n"
        "    default 443;\n"
        "    \"~:(?<pqota_given>[0-9]+)$\" $pqota_given;\n"
        "}\n"
        "\n"
        "# For access_log: who came, how, and whether the session was resumed.\n"
        "log_format pqota '$remote_addr [$time_iso8601] \"$request\" $status $body_bytes_sent '\n"
        "                 'tls=$ssl_protocol group=$ssl_curve resumed=$ssl_session_reused '\n"
        "                 'verify=$ssl_client_verify serial=$ssl_client_serial '\n"
        "                 'time=$request_time upstream=$upstream_response_time';\n",
        n->socket, idle, requests);
}

static int put_tls(const struct nginx_conf *n, struct buf *out, struct err *e)
{
    const struct server_config *c = n->config;
    struct tls_algs algs;
    int rc = tls_algs_resolve(c->tls_policy, str_or_null(c->tls_kem), str_or_null(c->tls_sig), &algs, e);
    if (rc != 0)
        return rc;
    return buf_printf(
        out,
        "\n"
        "server {\n"
        "    # The default of this port: OpenSSL takes the groups from there, whatever name is asked for.\n"
        "    listen %u ssl default_server;\n"
        "    listen [::]:%u ssl default_server;\n"
        "    http2 on;\n"
        "    server_name %s;\n"
        "    server_tokens off;\n"
        "\n"
        "    ssl_certificate \"%s\";\n"
        "    ssl_certificate_key \"%s\";\n"
        "    ssl_protocols TLSv1.3;\n"
        "    ssl_ecdh_curve %s;\n"
        "    ssl_conf_command Ciphersuites %s;\n"
        "    ssl_conf_command SignatureAlgorithms %s;\n"
        "    ssl_conf_command ClientSignatureAlgorithms %s;\n"
        "\n"
        "    # Tickets hold the session: one with an ML-DSA certificate is too large for nginx's cache. The\n"
        "    # cache keeps the tickets' keys, changes them and lets them outlive a reload.\n"
        "    ssl_session_tickets on;\n"
        "    ssl_session_cache shared:pqota:1m;\n"
        "    ssl_session_timeout %llds;\n"
        "    ssl_conf_command NumTickets 1;\n",
        n->port, n->port, n->name, n->certificate, n->key, algs.groups, algs.policy->ciphersuites,
        algs.sigalgs, algs.sigalgs, (long long)c->tls_session_seconds);
}

static int put_clients(const struct nginx_conf *n, struct buf *out)
{
    int rc = buf_printf(out,
                        "\n"
                        "    # Certificates of devices and of operators; without one enrolment and what is\n"
                        "    # public answer. pqota looks each of them up itself, at every request.\n"
                        "    ssl_client_certificate \"%s\";\n"
                        "    ssl_trusted_certificate \"%s\";\n"
                        "    ssl_verify_client optional;\n"
                        "    ssl_verify_depth 4;\n",
                        n->device_roots, n->operator_roots);
    if (rc == 0 && n->crl != NULL)
        rc = buf_printf(
            out,
            "    # A list of each authority, the operators' too, and none of them past its end: else\n"
            "    # nginx refuses all that this authority issued.\n"
            "    ssl_crl \"%s\";\n",
            n->crl);
    return rc;
}

static int put_limits(const struct nginx_conf *n, struct buf *out)
{
    const struct server_config *c = n->config;
    long long line = c->target_bytes + 1024, lines = c->head_bytes / line + 2;
    return buf_printf(out,
                      "\n"
                      "    client_max_body_size %lld;\n"
                      "    large_client_header_buffers %lld %lld;\n"
                      "    client_header_timeout %llds;\n"
                      "    client_body_timeout %llds;\n"
                      "    send_timeout %llds;\n"
                      "    keepalive_timeout %llds;\n",
                      (long long)c->upload_bytes, lines < 4 ? 4 : lines, line < 8192 ? 8192 : line,
                      (long long)c->header_seconds, (long long)c->body_seconds, (long long)c->write_seconds,
                      (long long)c->idle_seconds);
}

static const char proxying[] =
    "\n"
    "    # Uploads and downloads pass through and touch no disk here.\n"
    "    proxy_request_buffering off;\n"
    "    proxy_max_temp_file_size 0;\n"
    "    proxy_buffer_size 32k;\n"
    "    proxy_buffers 16 32k;\n"
    "    proxy_busy_buffers_size 64k;\n"
    "    gzip off;\n"
    "\n"
    "    proxy_http_version 1.1;\n"
    "    proxy_connect_timeout 5s;\n"
    "    proxy_read_timeout 300s;\n"
    "    proxy_send_timeout 300s;\n"
    "    proxy_set_header Connection \"\";\n"
    "    proxy_set_header Host $pqota_host;\n"
    "    proxy_set_header X-Real-IP $remote_addr;\n"
    "    proxy_set_header X-Forwarded-For $remote_addr;\n"
    "    proxy_set_header X-Forwarded-Proto $scheme;\n"
    "    proxy_set_header X-Forwarded-Host $pqota_host;\n"
    "    proxy_set_header X-Forwarded-Port $pqota_port;\n"
    "    proxy_set_header Forwarded \"\";\n"
    "    # Who it is. A location of your own that has a proxy_set_header loses these: give it all of them.\n"
    "    # What a client sends under that name nginx drops, for its underscores: leave that so.\n"
    "    underscores_in_headers off;\n"
    "    ignore_invalid_headers on;\n"
    "    proxy_set_header " PROXY_CLIENT_FIELD " \"verify=$ssl_client_verify; serial=$ssl_client_serial; "
    "sha1=$ssl_client_fingerprint; issuer=$ssl_client_i_dn\";\n"
    "\n"
    "    location / {\n"
    "        proxy_pass http://pqota;\n"
    "    }\n"
    "\n"
    "    # What nginx says itself, as pqota would.\n"
    "    error_page 495 = @pqota_certificate;\n"
    "    error_page 413 = @pqota_large;\n"
    "    error_page 502 504 = @pqota_away;\n"
    "    location @pqota_certificate {\n"
    "        default_type application/problem+json;\n"
    "        if ($ssl_client_verify ~ CRL) { # ours is too old, or one of an authority is not there\n"
    "            add_header Retry-After 60 always;\n"
    "            return 503 '{\"type\":\"about:blank#busy\",\"title\":\"Service Unavailable\",\"status\":503,"
    "\"detail\":\"the proxy cannot tell whether the certificate is revoked ($ssl_client_verify)\"}';\n"
    "        }\n"
    "        return 401 '{\"type\":\"about:blank#unauthenticated\",\"title\":\"Unauthorized\",\"status\":401,"
    "\"detail\":\"the client certificate does not verify ($ssl_client_verify); one that has expired is "
    "renewed "
    "at the server itself, not through this proxy\"}';\n"
    "    }\n"
    "    location @pqota_large {\n"
    "        default_type application/problem+json;\n"
    "        return 413 '{\"type\":\"about:blank#too-large\",\"title\":\"Content Too Large\",\"status\":413,"
    "\"detail\":\"the body is larger than the server takes (limits.upload_bytes)\"}';\n"
    "    }\n"
    "    location @pqota_away {\n"
    "        default_type application/problem+json;\n"
    "        add_header Retry-After 5 always;\n"
    "        return 503 '{\"type\":\"about:blank#busy\",\"title\":\"Service Unavailable\",\"status\":503,"
    "\"detail\":\"the server behind this proxy does not answer; try again later\"}';\n"
    "    }\n"
    "}\n";

int nginx_conf_write(const struct nginx_conf *n, struct buf *out, struct err *e)
{
    int rc = put_head(n, out);
    if (rc == 0)
        rc = put_upstream(n, out);
    if (rc != 0)
        return err_set(e, rc, "no memory for nginx's configuration");
    rc = put_tls(n, out, e);
    if (rc != 0)
        return rc;
    rc = put_clients(n, out);
    if (rc == 0)
        rc = put_limits(n, out);
    if (rc == 0)
        rc = buf_add(out, proxying, sizeof proxying - 1);
    return rc == 0 ? 0 : err_set(e, rc, "no memory for nginx's configuration");
}
