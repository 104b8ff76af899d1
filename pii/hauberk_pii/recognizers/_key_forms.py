"""Forms of keys and tokens, by the prefix that whoever issues them gives them.

Rules:
* A prefix and a length that nothing else has: a word that only begins like a key is none.
* Each is one pattern for one family of keys, in characters that RE2 knows.

Sources, read in 2026-11: the issuers' own descriptions; for those that publish none, the rules of
gitleaks 8 (MIT) and detect-secrets 1.5 (Apache-2.0). Written anew.
"""

from __future__ import annotations

_B64URL = r"[A-Za-z0-9_\-]"
_HEX = "[a-f0-9]"
_UUID = rf"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"

KEY_FORMS: dict[str, str] = {
    "AWS access key id": r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}",
    "AWS Bedrock": r"ABSK[A-Za-z0-9+/]{109,269}={0,2}",
    "GitHub": r"gh[pousr]_[A-Za-z0-9]{36,255}",
    "GitHub fine-grained": r"github_pat_[A-Za-z0-9_]{22,255}",
    "GitLab": rf"gl(?:pat|dt|rt|ft|soat|imt|agent|oas|cbt|ptt)-{_B64URL}{{20,64}}",
    "OpenAI, Anthropic and who imitates them": r"sk-[A-Za-z0-9_\-]{20,200}",
    "Stripe": r"(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{16,255}",
    "Stripe webhook": r"whsec_[A-Za-z0-9+/]{32,64}",
    "Slack": r"xox[abeoprs]-[A-Za-z0-9\-]{10,255}",
    "Slack app": r"xapp-[0-9]-[A-Z0-9]{8,16}-[0-9]{8,16}-[a-z0-9]{32,80}",
    "Slack webhook": r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{40,60}",
    "Google API": r"AIza[A-Za-z0-9_\-]{35}",
    "Google OAuth": r"ya29\.[A-Za-z0-9_\-]{20,512}",
    "Google client secret": rf"GOCSPX-{_B64URL}{{28}}",
    "Azure client secret": r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.\-]{31,34}",
    "Hugging Face": r"hf_[A-Za-z0-9]{30,64}",
    "Groq": r"gsk_[A-Za-z0-9]{52}",
    "xAI": r"xai-[A-Za-z0-9]{70,90}",
    "Perplexity": r"pplx-[A-Za-z0-9]{48}",
    "Replicate": r"r8_[A-Za-z0-9]{37}",
    "LangSmith": rf"lsv2_(?:pt|sk)_{_HEX}{{32}}_{_HEX}{{10}}",
    "Langfuse": rf"(?:sk|pk)-lf-{_UUID}",
    "Pinecone": r"pcsk_[A-Za-z0-9]{4,6}_[A-Za-z0-9]{55,65}",
    "npm": r"npm_[A-Za-z0-9]{36}",
    "PyPI": r"pypi-[A-Za-z0-9_\-]{50,512}",
    "RubyGems": rf"rubygems_{_HEX}{{48}}",
    "NuGet": r"oy2[a-z0-9]{43}",
    "Docker": rf"dckr_(?:pat|oat)_{_B64URL}{{27,32}}",
    "SendGrid": r"SG\.[A-Za-z0-9_\-]{16,32}\.[A-Za-z0-9_\-]{16,64}",
    "Brevo": rf"xkeysib-{_HEX}{{64}}-[A-Za-z0-9]{{16}}",
    "Mailgun": rf"key-{_HEX}{{32}}",
    "Mailchimp": rf"{_HEX}{{32}}-us[0-9]{{1,2}}",
    "Twilio": rf"SK{_HEX}{{32}}",
    "Telegram": rf"[0-9]{{8,10}}:AA{_B64URL}{{33}}",
    "Discord": r"[MNO][A-Za-z0-9_\-]{23,25}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{27,38}",
    "DigitalOcean": rf"do[opr]_v1_{_HEX}{{64}}",
    "Heroku": rf"HRKU-(?:{_UUID}|AA{_B64URL}{{58}})",
    "Databricks": rf"dapi{_HEX}{{32}}(?:-[0-9])?",
    "Vault": rf"hv[sbr]\.{_B64URL}{{24,255}}",
    "Terraform": rf"[A-Za-z0-9]{{14}}\.atlasv1\.{_B64URL}{{60,70}}",
    "Atlassian": r"ATATT3[A-Za-z0-9_\-=]{40,255}",
    "Bitbucket": r"ATBB[A-Za-z0-9]{32}",
    "Linear": r"lin_(?:api|oauth)_[A-Za-z0-9]{40,64}",
    "Notion": r"ntn_[A-Za-z0-9]{43,50}",
    "Airtable": rf"pat[A-Za-z0-9]{{14}}\.{_HEX}{{64}}",
    "Postman": rf"PMAK-{_HEX}{{24}}-{_HEX}{{34}}",
    "New Relic": r"NR(?:AK|AA|II)-[A-Za-z0-9_\-]{27,42}",
    "Grafana": r"glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}",
    "Grafana Cloud": r"glc_[A-Za-z0-9+/]{32,400}={0,2}",
    "Sentry": r"sntry[us]_[A-Za-z0-9_+/=\-]{60,400}",
    "Supabase": rf"sbp_{_HEX}{{40}}",
    "PlanetScale": r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=\-]{32,64}",
    "Shopify": r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}",
    "Square": rf"sq0(?:atp|csp|idp)-{_B64URL}{{22,43}}",
    "Razorpay": r"rzp_(?:live|test)_[A-Za-z0-9]{14}",
    "Plaid": rf"access-(?:sandbox|development|production)-{_UUID}",
    "Doppler": r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9_.\-]{40,64}",
    "Alibaba": r"LTAI[A-Za-z0-9]{12,24}",
    "age": r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
    "JWT": r"eyJ[A-Za-z0-9_\-]{8,4096}\.eyJ[A-Za-z0-9_\-]{8,8192}\.[A-Za-z0-9_\-]{4,2048}",
}
"""Pattern by what it is a key of."""
