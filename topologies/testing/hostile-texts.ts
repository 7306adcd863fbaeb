// Values that try to be more than text in a chat message: mentions, links, markup, control and direction characters, length.
export const hostileTexts = {
  slackCalls: '<!channel> <!here|x> <@U012AB3CD> <#C012AB3CD> <https://evil.example|login>',
  atCalls: '@here @channel @all @everyone (@bob)',
  markup:
    '*b* _i_ ~s~ `c` ```f``` **B** # h\n> q\n- l\n1. n\n| a | b |\n[login](https://evil.example) ![x](https://evil.example/x.png)',
  controls: 'a\u0000b\u001b[2Jc\u0007d\r\ne',
  bidi: 'invoice\u202efdp.exe\u2066x\u2069\u200f',
  teamsCall: '<at>SOC lead</at>',
  long: 'A'.repeat(100_000),
  template: '{{data.secret}} {{{x}}} {{#y}}',
  json: '","text":"<!channel>","x":"',
} as const;
