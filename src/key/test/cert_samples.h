/* SPDX-License-Identifier: ISC */
/* Certificates that OpenSSH 9.2 made for these tests. */
#ifndef KEY_CERT_SAMPLES_H
#define KEY_CERT_SAMPLES_H

/* user, ecdsa-sha2-nistp256 signed by ed25519: -I "an id" -n alice,bob -z 42, 2025-01-01 to 2035-01-01 UTC, force-command, source-address, all
 * permissions but X11, and x@example.com=abc */
static const char cert_sample_user[] =
    "AAAAKGVjZHNhLXNoYTItbmlzdHAyNTYtY2VydC12MDFAb3BlbnNzaC5jb20AAAAgLjdTOltLgMHUbUx4iB+XFfYe29hI7zF94vSouNP7lZgAAAAIbmlzdHAy"
    "NTYAAABBBLMypSgXWM7ze/xflREjKBineZX194jq6wBNAuakbDycMeNE6Z6P6lpXFkrf5z7XU/wEFhoeEEKFh1cRaBWqpwcAAAAAAAAAKgAAAAEAAAAFYW4g"
    "aWQAAAAQAAAABWFsaWNlAAAAA2JvYgAAAABndIWAAAAAAHpDK4AAAABWAAAADWZvcmNlLWNvbW1hbmQAAAANAAAACWVjaG8gImhpIgAAAA5zb3VyY2UtYWRk"
    "cmVzcwAAAB4AAAAaMTkyLjAuMi4wLzI0LDIwMDE6ZGI4OjovMzIAAACBAAAAF3Blcm1pdC1hZ2VudC1mb3J3YXJkaW5nAAAAAAAAABZwZXJtaXQtcG9ydC1m"
    "b3J3YXJkaW5nAAAAAAAAAApwZXJtaXQtcHR5AAAAAAAAAA5wZXJtaXQtdXNlci1yYwAAAAAAAAANeEBleGFtcGxlLmNvbQAAAAcAAAADYWJjAAAAAAAAADMA"
    "AAALc3NoLWVkMjU1MTkAAAAgKY8HJZP/NHPoAuVMEdSXZHzCDpGlpytoNzl8RvbpBUsAAABTAAAAC3NzaC1lZDI1NTE5AAAAQCy117aQCDUnsajA9X+o0s5u"
    "QG2cuRyngd8WHa1BsKj3W4VwQZJozmWJbCSmksuVpevRSc+SmwtANQoYI5UMiQw=";

/* host, ed25519 signed by RSA with rsa-sha2-512: -n *.example.com,HOST, always */
static const char cert_sample_host[] =
    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIBIv7IOUvDqwj9LDf8EisjNQyQBsk2zUKCGB/A/ai9xEAAAAICmPByWT/zRz6ALlTBHU"
    "l2R8wg6RpacraDc5fEb26QVLAAAAAAAAAAAAAAACAAAABGhvc3QAAAAZAAAADSouZXhhbXBsZS5jb20AAAAESE9TVAAAAAAAAAAA//////////8AAAAAAAAA"
    "AAAAAAAAAAEXAAAAB3NzaC1yc2EAAAADAQABAAABAQDl7iIToTF/XQ7NlZ+Ys5e7+0y/9b2TYy2gdqrKm+7Awz22GFDQvaTlHlFqHE+CkAzvOzOaHB8RR48O"
    "C9GG2BMPrYH/LsquN2WKfhFYbJvXBF3hSkjrFpUj4QszydkDJu+5e78fsFML3xIp5DK3ZL7fHN1k/2AvWO/1rokrfE9CODbE86ZQVz8NrHJb1+aFa7750Jxi"
    "I8+c9ed6en5JdUIbxI+IeT5i5/1mfS0yY50lagpUI7P9NyDIwUGaVP/5yVoO3UNqGYvg6ilyCvZ+ulg/vPWbeZT/ZX8+kejzEInRi/8NW0cDRGope87QiijG"
    "Dmkd5Wh5z09vsdTunrrS4lPpAAABFAAAAAxyc2Etc2hhMi01MTIAAAEAeEmYb7fE/BbXjoi4dKn+yoaBnp7bZb0sWmG9WRUFl7GByZIO4JqSKyEWiuCAkNPz"
    "rEjjjz4kQnvcdsgtwY9Wcv5BOvOTWwmAUmpblmGMuUcBdhhOhogzHhBR5zf2yr7JDyTJZ5yYEZlqID3Q8uksj8kf6aL5jjFXwxnnTLvyKCqwmEEQQX+v8Iw2"
    "SOcmv/pE3GQeOf9WDzY6jNgVetXRGn4HGSUYbsp3OEPJgc4R9K2QL+PktVi34ObDZgfVStZNRf+QsGcnAtREOdKhbST5UOrwzEKox+UQg/bgD2tFVe+7M14z"
    "YLm9H7WXRpfZscUxr7GMeM26VWYEpO5Iy0/qTw==";

#define CERT_SAMPLE_CA "SHA256:A3HKDIdR5XFwPr9xiGKdckBrg+4KOFA9CIRoXnD3Y3c" /* of the user certificate; the key of the host certificate, too */
#define CERT_SAMPLE_KEY "SHA256:8X5ZTjV2Xb693rfaAgSWvCb0JjgqmVBgOF4yP2uf+BQ" /* of the user certificate */

#endif
