/**
 * What a device said that spoke version 1 of the wire: a roster with a removed device, the welcome after it, and a room key.
 * Of the room with this secret, by this host to this newcomer.
 */
export const VERSION_1 = {
  secret: 'pabtTYlSb_Vt2jzHldJz5Q',
  host: 'axWuFemvGXxjwz9_DB1G2Q',
  newcomer: 'sJGLo1eJ05NnqaJUnCxnTw',
  messages: [
    '{"v":1,"kind":"roster","entries":[{"device":"axWuFemvGXxjwz9_DB1G2Q","publicKey":"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE0x6khk7UCjE0v89Qa8waO4PGaYHfQZx1cnyvh38AY6E4knwTlF42GVXYFI6K1-yXk8mDuYiFtSYm8GNOyAgq8g","name":"Device 0","rank":0,"by":"axWuFemvGXxjwz9_DB1G2Q","signature":"RzV3skv3sgoW9Lk-wbJzWj7etZ3L9mYxH4irIh7MibJiE0NjzD6NNCukS3EHnEvYvKbto8KmiinrJxJIV00iRg"},{"device":"sJGLo1eJ05NnqaJUnCxnTw","publicKey":"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEL03idD8hXOtYVQ6cagBHm-f39EiP3L3510fhn2H2FPTOJFwxRCWaIZjzZi-oUwCxowpwO2DjgYwflRi7GhXaFg","name":"Device 1","rank":1,"by":"axWuFemvGXxjwz9_DB1G2Q","signature":"RG8mUJ8PUW-hS_lOJfwRJrvbFvzfxDZHw4qK_lUW7_Q4vqzZtIWty9UF7M_ErceBfp9ech_ayHgRDG1nlIPG4Q"},{"device":"FHmhKPJyOPhO6LBcBIIFtA","publicKey":"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsVbymPuoWeDE7cqdzU8oeknucnf851z5sYP13DVru4-wsaTjFgPHjNtRYmTTT9xcKrLg_5OcVoMD-z1_j6bZzw","name":"Device 2","rank":2,"by":"axWuFemvGXxjwz9_DB1G2Q","signature":"6QAcf9uEaWCMRsRzx50RtkwydYYecjNx3cGbIsdBtK_JWhtoR1TCajDcgdyS8HAIiZ4GNMWYQ6H1dX6KuZHhhw"}],"tombstones":[]}',
    '{"v":1,"kind":"roster","entries":[],"tombstones":[{"device":"FHmhKPJyOPhO6LBcBIIFtA","by":"axWuFemvGXxjwz9_DB1G2Q","keeps":[],"signature":"4NxQWTpiaSui67naVbGBcwJvfJwAH78AmJ1yxDEbpiOeTQucWXjwi1kEOBTcGeB2fIl3Vr8mAjJTXmFRnZiBzQ"}]}',
    '{"v":1,"kind":"welcome","maker":"axWuFemvGXxjwz9_DB1G2Q","salt":"y2B4hsRLPF446u24wE_I_Q","entries":[],"tombstones":[],"keys":[{"generation":1,"by":"axWuFemvGXxjwz9_DB1G2Q","without":["FHmhKPJyOPhO6LBcBIIFtA"],"key":"gUKpAtCIewf6AiPGokgcrw"}],"askFirst":false,"askFirstChange":2}',
    '{"v":1,"kind":"room-keys","keys":[{"generation":1,"by":"axWuFemvGXxjwz9_DB1G2Q","without":["FHmhKPJyOPhO6LBcBIIFtA"],"key":"gUKpAtCIewf6AiPGokgcrw"}]}',
  ],
} as const;
