// Secrets in memory, named by their reference: the id of {secret}, the variable of {env}, the path of {file}.
import { SecretError, type SecretsPort, SecretValue } from '../secrets.ts';

export function fakeSecrets(values: Readonly<Record<string, string>> = {}): SecretsPort {
  return {
    async resolve(ref) {
      const name = 'secret' in ref ? ref.secret : 'env' in ref ? ref.env : ref.file;
      if (!Object.hasOwn(values, name)) throw new SecretError(`the secret ${name} has no value`);
      return new SecretValue(values[name] as string);
    },
  };
}
